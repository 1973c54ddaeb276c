package objectstore

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// objectHeaders are kept with an object beside its X-Object-Meta-….
var objectHeaders = []string{"Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control", "Expires", "X-Robots-Tag", "X-Object-Manifest"}

func objectMeta(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		if (strings.HasPrefix(name, "X-Object-Meta-") || slices.Contains(objectHeaders, name)) && values[0] != "" {
			out[name] = values[0]
		}
	}
	return out
}

// expiry reads X-Delete-At, seconds since 1970, or X-Delete-After, seconds from now.
func (c *call) expiry() (time.Time, error) {
	at, after := c.r.Header.Get("X-Delete-At"), c.r.Header.Get("X-Delete-After")
	now := c.s.c.Now()
	var when time.Time
	switch {
	case after != "":
		n, err := strconv.ParseInt(after, 10, 32)
		if err != nil {
			return when, refuse(http.StatusBadRequest, "Non-integer X-Delete-After")
		}
		when = now.Add(time.Duration(n) * time.Second)
	case at != "":
		n, err := strconv.ParseInt(at, 10, 40)
		if err != nil {
			return when, refuse(http.StatusBadRequest, "Non-integer X-Delete-At")
		}
		when = time.Unix(n, 0)
	default:
		return when, nil
	}
	if !when.After(now) {
		return when, refuse(http.StatusBadRequest, "X-Delete-At in past")
	}
	return when, nil
}

// contentType is what the client says, or what the name suggests.
func (c *call) contentType() string {
	given := c.r.Header.Get("Content-Type")
	if detect := c.r.Header.Get("X-Detect-Content-Type"); given != "" && !strings.EqualFold(detect, "true") {
		return given
	}
	if guess := mime.TypeByExtension(path.Ext(c.object)); guess != "" {
		return guess
	}
	return "application/octet-stream"
}

func (c *call) putObject() error {
	if c.q.Has("version-id") && c.r.Method != "COPY" {
		return status(http.StatusBadRequest) // a version stays as it is
	}
	o := &object{Headers: objectMeta(c.r.Header), ContentType: c.contentType()}
	var err error
	if o.DeleteAt, err = c.expiry(); err != nil {
		return err
	}
	if m := o.Headers["X-Object-Manifest"]; m != "" {
		if from, prefix, ok := strings.Cut(m, "/"); !ok || from == "" || prefix == "" || strings.ContainsAny(m, "?&") {
			return refuse(http.StatusBadRequest, "X-Object-Manifest must be in the format container/prefix")
		}
	}
	if err := c.mayPut(); err != nil {
		return err
	}
	if c.r.Header.Get("X-Copy-From") != "" {
		return c.copyFrom(o)
	}
	if c.q.Get("multipart-manifest") == "put" {
		return c.putSLO(o)
	}
	if c.r.ContentLength > c.s.c.MaxObjectSize {
		return refuse(http.StatusRequestEntityTooLarge, "Your request is too large.")
	}
	if err := c.s.receive(o, c.r.Body); err != nil {
		return err
	}
	if want := strings.Trim(c.r.Header.Get("Etag"), `"`); want != "" && !strings.EqualFold(want, o.ETag) {
		_ = os.Remove(c.s.blob(o.Blob)) // one that stays is unclaimed and goes at the next start
		return status(http.StatusUnprocessableEntity)
	}
	return c.finish(o)
}

// mayPut checks before any data is read what can be checked then.
func (c *call) mayPut() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	one, err := c.s.containerLocked(c.account, c.container)
	if err != nil {
		return err
	}
	if c.r.Header.Get("If-None-Match") == "*" && one.Objects[c.object] != nil {
		return status(http.StatusPreconditionFailed)
	}
	return one.room(c.object, max(c.r.ContentLength, 0))
}

// room is what a container's own quota leaves.
func (c *container) room(name string, size int64) error {
	n, used := c.usage()
	if old := c.Objects[name]; old != nil {
		n, used = n-1, used-old.Size
	}
	if limit, err := strconv.ParseInt(c.Headers["X-Container-Meta-Quota-Bytes"], 10, 64); err == nil && used+size > limit {
		return refuse(http.StatusRequestEntityTooLarge, "Upload exceeds quota.")
	}
	if limit, err := strconv.Atoi(c.Headers["X-Container-Meta-Quota-Count"]); err == nil && n+1 > limit {
		return refuse(http.StatusRequestEntityTooLarge, "Upload exceeds quota.")
	}
	return nil
}

// receive streams data to a file and notes its size and MD5.
func (s *Service) receive(o *object, body io.Reader) error {
	f, err := os.CreateTemp(s.blobs, "object-*")
	if err != nil {
		return err
	}
	sum := md5.New()
	source := &reading{r: io.LimitReader(body, s.c.MaxObjectSize+1)}
	n, err := io.Copy(io.MultiWriter(f, sum), source)
	err = errors.Join(err, f.Close())
	switch {
	case source.err != nil:
		err = refuse(499, "Client Disconnect")
	case err == nil && n > s.c.MaxObjectSize:
		err = refuse(http.StatusRequestEntityTooLarge, "Your request is too large.")
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is why there is nothing to keep
		return err
	}
	o.Blob, o.Size, o.ETag = path.Base(f.Name()), n, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// reading tells a broken body from a full disk.
type reading struct {
	r   io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// finish puts a whole object in its place and answers.
func (c *call) finish(o *object) error {
	o.Modified = c.s.c.Now()
	c.s.mu.Lock()
	one, err := c.s.containerLocked(c.account, c.container)
	if err == nil {
		err = one.room(c.object, o.Size)
	}
	if err == nil {
		c.s.putLocked(one, c.object, o)
	}
	c.s.mu.Unlock()
	if err != nil {
		if o.Blob != "" {
			_ = os.Remove(c.s.blob(o.Blob)) // one that stays is unclaimed and goes at the next start
		}
		return err
	}
	h := c.w.Header()
	if o.Version != "" {
		h.Set("X-Object-Version-Id", o.Version)
	}
	h.Set("Etag", o.etagHeader())
	h.Set("Last-Modified", lastModified(o.Modified))
	return c.done(http.StatusCreated)
}

// etagHeader is bare for an object of one piece and quoted for a large one, as in Swift.
func (o *object) etagHeader() string {
	if len(o.Segments) > 0 {
		return `"` + o.ETag + `"`
	}
	return o.ETag
}

// lastModified rounds up to a second, so that nobody takes a newer object for an unchanged one.
func lastModified(t time.Time) string { return roundUp(t).UTC().Format(http.TimeFormat) }

func roundUp(t time.Time) time.Time {
	if down := t.Truncate(time.Second); !down.Equal(t) {
		return down.Add(time.Second)
	}
	return t
}

func (c *call) getObject() error {
	c.s.mu.Lock()
	o, err := c.s.versionLocked(c.account, c.container, c.object, c.q.Get("version-id"))
	var parts []part
	etag, large := "", false
	if err == nil && len(o.Segments) > 0 && c.q.Get("multipart-manifest") == "get" {
		c.s.mu.Unlock()
		return c.getManifest(o)
	}
	if err == nil {
		c.versionHeader(o)
		err = c.mayReadPartsLocked(o)
	}
	if err == nil {
		parts, etag, large, err = c.s.partsLocked(c.account, o)
	}
	c.s.mu.Unlock()
	if err != nil {
		return err
	}
	h := c.w.Header()
	c.headers(o.Headers)
	h.Set("Content-Type", o.ContentType)
	h.Set("X-Timestamp", timestamp(o.Modified))
	if !o.DeleteAt.IsZero() {
		h.Set("X-Delete-At", strconv.FormatInt(o.DeleteAt.Unix(), 10))
	}
	if len(o.Segments) > 0 {
		h.Set("X-Static-Large-Object", "True")
	}
	c.disposition()
	return c.content(o, parts, etag, large)
}

// content serves data with ranges and conditions. The standard library does both, given the ETag quoted; the answer of an object of
// one piece has it bare.
func (c *call) content(o *object, parts []part, etag string, large bool) error {
	data := newReader(c.s, parts)
	defer data.Close()
	if err := data.open(); err != nil {
		return err
	}
	c.w.Header().Set("Etag", `"`+etag+`"`)
	r := c.r.Clone(c.r.Context())
	for _, name := range []string{"If-Match", "If-None-Match", "If-Range"} {
		if v := r.Header.Get(name); v != "" && v != "*" && !strings.Contains(v, `"`) && !(name == "If-Range" && strings.Contains(v, " ")) {
			r.Header.Set(name, `"`+v+`"`)
		}
	}
	http.ServeContent(&answer{c.w, large, data.size}, r, "", roundUp(o.Modified), data)
	return nil
}

// An answer puts the standard library's headers as Swift has them: the ETag bare, and a length for encoded data too.
type answer struct {
	http.ResponseWriter
	quoted bool
	size   int64
}

func (a *answer) WriteHeader(code int) {
	h := a.Header()
	if etag := h.Get("Etag"); etag != "" && !a.quoted {
		h.Set("Etag", strings.Trim(etag, `"`))
	}
	if code == http.StatusOK {
		h.Set("Content-Length", strconv.FormatInt(a.size, 10))
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// mayReadPartsLocked holds a large object's segments to their own containers' ACLs: whoever may write one container cannot read
// another through a manifest in it.
func (c *call) mayReadPartsLocked(o *object) error {
	if c.owner || c.signed {
		return nil
	}
	containers := []string{}
	for _, g := range o.Segments {
		containers = append(containers, g.Container)
	}
	if m := o.Headers["X-Object-Manifest"]; m != "" {
		decoded, _ := url.PathUnescape(m) // an unreadable one names no container
		name, _, _ := strings.Cut(decoded, "/")
		containers = append(containers, name)
	}
	for _, name := range containers {
		one := c.s.accounts[c.account].Containers[name]
		if one == nil || !c.inACL(one.Headers["X-Container-Read"], true) {
			return status(http.StatusForbidden)
		}
	}
	return nil
}

func (c *call) postObject() error {
	if c.q.Has("version-id") {
		return status(http.StatusBadRequest)
	}
	when, err := c.expiry()
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	o, err := c.s.objectLocked(c.account, c.container, c.object)
	if err != nil {
		return err
	}
	next := *o
	next.Headers = objectMeta(c.r.Header)
	if m := o.Headers["X-Object-Manifest"]; m != "" && next.Headers["X-Object-Manifest"] == "" {
		next.Headers["X-Object-Manifest"] = m
	}
	next.DeleteAt, next.Modified = when, c.s.c.Now()
	if kind := c.r.Header.Get("Content-Type"); kind != "" && kind != "application/x-www-form-urlencoded" {
		next.ContentType = kind
	}
	c.s.changeLocked(c.s.accounts[c.account].Containers[c.container], c.object, &next)
	return c.done(http.StatusAccepted)
}

func (c *call) deleteObject() error {
	if c.q.Get("multipart-manifest") == "delete" {
		return c.deleteSLO()
	}
	if id := c.q.Get("version-id"); id != "" {
		return c.deleteVersion(id)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if _, err := c.s.objectLocked(c.account, c.container, c.object); err != nil {
		return err
	}
	if version := c.s.deleteLocked(c.s.accounts[c.account].Containers[c.container], c.object); version != "" {
		c.w.Header().Set("X-Object-Version-Id", version)
	}
	return c.done(http.StatusNoContent)
}
