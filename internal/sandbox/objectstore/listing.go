package objectstore

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An entry is one line of a listing: a container, an object, or what names have in common up to a delimiter.
type entry struct {
	name   string
	subdir bool
}

// A query is what a listing is asked for.
type query struct {
	prefix, delimiter, marker, end string
	limit                          int
	reverse, pathOnly              bool
}

func listingQuery(q url.Values) (query, error) {
	l := query{prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), marker: q.Get("marker"), end: q.Get("end_marker"), limit: maxListing}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n >= 0 {
		l.limit = n
	}
	if l.limit > maxListing {
		return query{}, refuse(http.StatusPreconditionFailed, "Maximum limit is %d", maxListing)
	}
	switch strings.ToLower(q.Get("reverse")) {
	case "true", "1", "yes", "on", "t", "y":
		l.reverse = true
	}
	if q.Has("path") { // the old way to ask for one level, without what lies deeper
		l.prefix, l.delimiter, l.pathOnly = strings.TrimSuffix(q.Get("path"), "/"), "/", true
		if l.prefix != "" {
			l.prefix += "/"
		}
	}
	return l, nil
}

// list picks, rolls up and cuts names. Names compare bytewise.
func (l query) list(names []string) []entry {
	slices.Sort(names)
	if l.reverse {
		slices.Reverse(names)
	}
	var out []entry
	last := ""
	for _, name := range names {
		tail, ok := strings.CutPrefix(name, l.prefix)
		if !ok || l.pathOnly && tail == "" {
			continue
		}
		e := entry{name: name}
		if at := strings.Index(tail, l.delimiter); l.delimiter != "" && at >= 0 {
			e = entry{l.prefix + tail[:at+len(l.delimiter)], true}
		}
		if l.past(e.name, l.marker) || l.end != "" && !l.before(e.name) || e.subdir && (e.name == last || l.pathOnly) {
			continue
		}
		if len(out) == l.limit {
			break
		}
		if e.subdir {
			last = e.name
		}
		out = append(out, e)
	}
	return out
}

// past reports whether a name comes no later than the marker, in the listing's own order.
func (l query) past(name, marker string) bool {
	if marker == "" {
		return false
	}
	if l.reverse {
		return name >= marker
	}
	return name <= marker
}

func (l query) before(name string) bool {
	if l.reverse {
		return name > l.end
	}
	return name < l.end
}

// format is plain, json or xml: by the query, else by what the client accepts.
func (c *call) format() string {
	if f := c.q.Get("format"); f == "json" || f == "xml" || f == "plain" {
		return f
	}
	accept := c.r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "application/json"):
		return "json"
	case strings.Contains(accept, "application/xml"), strings.Contains(accept, "text/xml"):
		return "xml"
	}
	return "plain"
}

type jsonContainer struct {
	Name     string `json:"name"`
	Count    int    `json:"count"`
	Bytes    int64  `json:"bytes"`
	Modified string `json:"last_modified"`
}

type jsonObject struct {
	Name     string `json:"name"`
	Hash     string `json:"hash"`
	Bytes    int64  `json:"bytes"`
	Type     string `json:"content_type"`
	Modified string `json:"last_modified"`
	SLOEtag  string `json:"slo_etag,omitempty"`
	Version  string `json:"version_id,omitempty"`
	Latest   *bool  `json:"is_latest,omitempty"`
}

type jsonSubdir struct {
	Subdir string `json:"subdir"`
}

func listed(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000") }

// write writes a listing of rows, each a jsonContainer, jsonObject or jsonSubdir. HEAD and an empty plain one have no body.
func (c *call) write(root, name string, rows []any) error {
	if c.r.Method == http.MethodHead {
		c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	var body bytes.Buffer
	kind := "text/plain; charset=utf-8"
	switch c.format() {
	case "json":
		kind = "application/json; charset=utf-8"
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(append([]any{}, rows...)); err != nil {
			return err
		}
		body.Truncate(body.Len() - 1)
	case "xml":
		kind = "application/xml; charset=utf-8"
		writeXML(&body, root, name, rows)
	default:
		for _, row := range rows {
			body.WriteString(rowName(row) + "\n")
		}
	}
	c.w.Header().Set("Content-Type", kind)
	if body.Len() == 0 {
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(body.Bytes()) // a client that went away is no error of ours
	return nil
}

func rowName(row any) string {
	switch v := row.(type) {
	case jsonContainer:
		return v.Name
	case jsonObject:
		return v.Name
	case jsonSubdir:
		return v.Subdir
	}
	return ""
}

func writeXML(b *bytes.Buffer, root, name string, rows []any) {
	text := func(s string) string {
		var e bytes.Buffer
		_ = xml.EscapeText(&e, []byte(s)) // a Buffer takes everything
		return e.String()
	}
	element := func(name, value string) { b.WriteString("<" + name + ">" + text(value) + "</" + name + ">") }
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + root + ` name="` + text(name) + `">`)
	for _, row := range rows {
		switch v := row.(type) {
		case jsonContainer:
			b.WriteString("<container>")
			element("name", v.Name)
			element("count", strconv.Itoa(v.Count))
			element("bytes", strconv.FormatInt(v.Bytes, 10))
			element("last_modified", v.Modified)
			b.WriteString("</container>")
		case jsonObject:
			b.WriteString("<object>")
			element("name", v.Name)
			element("hash", v.Hash)
			element("bytes", strconv.FormatInt(v.Bytes, 10))
			element("content_type", v.Type)
			element("last_modified", v.Modified)
			b.WriteString("</object>")
		case jsonSubdir:
			b.WriteString(`<subdir name="` + text(v.Subdir) + `">`)
			element("name", v.Subdir)
			b.WriteString("</subdir>")
		}
	}
	b.WriteString("</" + root + ">")
}

func (c *call) getAccount() error {
	l, err := listingQuery(c.q)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	a := c.s.accountLocked(c.account)
	for name := range a.Containers {
		_, _ = c.s.containerLocked(c.account, name) // for what expires in it; the container itself is there
	}
	containers, objects, used := a.usage()
	var rows []any
	for _, e := range l.list(slices.Collect(maps.Keys(a.Containers))) {
		if e.subdir {
			rows = append(rows, jsonSubdir{e.name})
			continue
		}
		one := a.Containers[e.name]
		n, size := one.usage()
		rows = append(rows, jsonContainer{e.name, n, size, listed(one.Created)})
	}
	stored, created := maps.Clone(a.Headers), a.Created
	c.s.mu.Unlock()

	h := c.w.Header()
	c.headers(stored)
	h.Set("X-Account-Container-Count", strconv.Itoa(containers))
	h.Set("X-Account-Object-Count", strconv.Itoa(objects))
	h.Set("X-Account-Bytes-Used", strconv.FormatInt(used, 10))
	h.Set("X-Timestamp", timestamp(created))
	return c.write("account", "AUTH_"+c.account, rows)
}

func (c *call) postAccount() error {
	if c.q.Has("bulk-delete") {
		return c.bulkDelete()
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.set(c.s.accountLocked(c.account).Headers, http.StatusNoContent)
}

// set changes stored headers and answers, if what results is within bounds.
func (c *call) set(stored map[string]string, code int, also ...string) error {
	next := maps.Clone(stored)
	keep(next, c.r.Header, also...)
	if len(next) > maxMetaCount {
		return refuse(http.StatusBadRequest, "Too many metadata items; max %d", maxMetaCount)
	}
	clear(stored)
	maps.Copy(stored, next)
	return c.done(code)
}

func (c *call) putAccount() error { return status(http.StatusForbidden) }

// deleteAccount is bulk deletion where the query says so; accounts themselves are the reseller's.
func (c *call) deleteAccount() error {
	if c.q.Has("bulk-delete") {
		return c.bulkDelete()
	}
	return status(http.StatusForbidden)
}

var aclHeaders = []string{"X-Container-Read", "X-Container-Write"}

func (c *call) getContainer() error {
	l, err := listingQuery(c.q)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	one, err := c.s.containerLocked(c.account, c.container)
	if err != nil {
		c.s.mu.Unlock()
		return err
	}
	var rows []any
	versions := c.q.Has("versions")
	for _, e := range l.list(one.names(versions)) {
		switch {
		case e.subdir:
			rows = append(rows, jsonSubdir{e.name})
		case versions:
			rows = append(rows, one.versionRows(e.name)...)
		default:
			rows = append(rows, one.Objects[e.name].row(e.name))
		}
	}
	n, used := one.usage()
	stored, created := maps.Clone(one.Headers), one.Created
	if one.Versioning != "" {
		stored["X-Versions-Enabled"] = one.Versioning
	}
	c.s.mu.Unlock()

	if !c.owner { // ACLs and keys are the owner's to see
		maps.DeleteFunc(stored, func(name, _ string) bool {
			return slices.Contains(aclHeaders, name) || strings.HasPrefix(name, "X-Container-Meta-Temp-Url-Key")
		})
	}
	h := c.w.Header()
	c.headers(stored)
	h.Set("X-Container-Object-Count", strconv.Itoa(n))
	h.Set("X-Container-Bytes-Used", strconv.FormatInt(used, 10))
	h.Set("X-Timestamp", timestamp(created))
	h.Set("Last-Modified", created.UTC().Format(http.TimeFormat))
	h.Set("X-Storage-Policy", "Policy-0")
	h.Set("Accept-Ranges", "bytes")
	return c.write("container", c.container, rows)
}

func (o *object) row(name string) jsonObject {
	row := jsonObject{Name: name, Hash: o.ETag, Bytes: o.Size, Type: o.ContentType, Modified: listed(o.Modified)}
	if len(o.Segments) > 0 {
		row.SLOEtag = `"` + o.ETag + `"`
	}
	return row
}

func (c *call) putContainer() error {
	if p := c.r.Header.Get("X-Storage-Policy"); p != "" && !strings.EqualFold(p, "Policy-0") {
		return refuse(http.StatusBadRequest, "Invalid X-Storage-Policy '%.100s'", p)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	a := c.s.accountLocked(c.account)
	one, code := a.Containers[c.container], http.StatusAccepted
	if one == nil {
		one, code = &container{Headers: map[string]string{}, Objects: map[string]*object{}, Created: c.s.c.Now()}, http.StatusCreated
	}
	if err := one.setVersioning(c.r.Header); err != nil {
		return err
	}
	a.Containers[c.container] = one
	return c.set(one.Headers, code, aclHeaders...)
}

func (c *call) postContainer() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	one, err := c.s.containerLocked(c.account, c.container)
	if err == nil {
		err = one.setVersioning(c.r.Header)
	}
	if err != nil {
		return err
	}
	return c.set(one.Headers, http.StatusNoContent, aclHeaders...)
}

func (c *call) deleteContainer() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	one, err := c.s.containerLocked(c.account, c.container)
	if err != nil {
		return err
	}
	if len(one.Objects) > 0 {
		return status(http.StatusConflict)
	}
	if len(one.Versions) > 0 {
		return refuse(http.StatusConflict, "Delete all versions before deleting container.")
	}
	delete(c.s.accounts[c.account].Containers, c.container)
	return c.done(http.StatusNoContent)
}
