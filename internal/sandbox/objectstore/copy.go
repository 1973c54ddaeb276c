package objectstore

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// copyObject is COPY: the object of the path to where Destination says.
func (c *call) copyObject() error {
	if other := c.r.Header.Get("Destination-Account"); other != "" && other != "AUTH_"+c.account {
		return status(http.StatusForbidden)
	}
	to, name, err := place(c.r.Header.Get("Destination"), "Destination")
	if err != nil {
		return err
	}
	if len(name) > maxObjectName || len(to) > maxContainerName {
		return refuse(http.StatusBadRequest, "Object name length of %d longer than %d", len(name), maxObjectName)
	}
	from := url.PathEscape(c.container) + "/" + url.PathEscape(c.object)
	if id := c.q.Get("version-id"); id != "" {
		from += "?version-id=" + id
	}
	c.r.Header.Set("X-Copy-From", from)
	c.container, c.object = to, name
	return c.putObject()
}

// place reads container/object from a header, percent-encoded.
func place(value, header string) (string, string, error) {
	decoded, err := url.PathUnescape(value)
	container, object, ok := strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
	if err != nil || !ok || container == "" || object == "" || !utf8.ValidString(decoded) || strings.ContainsRune(decoded, 0) {
		return "", "", refuse(http.StatusPreconditionFailed, "%s header must be of the form <container name>/<object name>", header)
	}
	return container, object, nil
}

// copyFrom fills o from another object of the account: its data, and what metadata the request does not bring along.
func (c *call) copyFrom(o *object) error {
	if other := c.r.Header.Get("X-Copy-From-Account"); other != "" && other != "AUTH_"+c.account || !c.owner {
		return status(http.StatusForbidden)
	}
	source, version, _ := strings.Cut(c.r.Header.Get("X-Copy-From"), "?version-id=")
	container, name, err := place(source, "X-Copy-From")
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	from, err := c.s.versionLocked(c.account, container, name, version)
	var parts []part
	if err == nil {
		parts, _, _, err = c.s.partsLocked(c.account, from)
	}
	c.s.mu.Unlock()
	if err != nil {
		return err
	}
	if c.r.Header.Get("Content-Type") == "" {
		o.ContentType = from.ContentType
	}
	if !strings.EqualFold(c.r.Header.Get("X-Fresh-Metadata"), "true") {
		merged := maps.Clone(from.Headers)
		delete(merged, "X-Object-Manifest") // the copy is of one piece
		maps.Copy(merged, o.Headers)
		o.Headers = merged
	}
	if len(from.Segments) > 0 && c.q.Get("multipart-manifest") == "get" {
		o.Segments, o.ETag, o.Size = from.Segments, from.ETag, from.Size
	} else {
		data := newReader(c.s, parts)
		defer data.Close()
		if err := c.s.receive(o, data); err != nil {
			return err
		}
	}
	h := c.w.Header()
	h.Set("X-Copied-From", url.PathEscape(container)+"/"+(&url.URL{Path: name}).EscapedPath())
	h.Set("X-Copied-From-Account", "AUTH_"+c.account)
	h.Set("X-Copied-From-Last-Modified", lastModified(from.Modified))
	return c.finish(o)
}
