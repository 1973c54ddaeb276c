package objectstore

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/stackgate/stackgate/internal/web"
)

const (
	maxSegments     = 1000
	maxManifestSize = 8 << 20
	maxDeletes      = 10000
)

// A segment is one piece of a static large object: an object that must still be what it was when the manifest was put.
type segment struct {
	Container, Object, ETag string
	Size                    int64
}

// A part is a file to be read as a piece of an object.
type part struct {
	blob string
	size int64
}

// partsLocked gives the files that an object's data is in, and its ETag. A static large object whose segments have changed since is
// not given out: 409.
func (s *Service) partsLocked(project string, o *object) (parts []part, etag string, large bool, err error) {
	switch manifest := o.Headers["X-Object-Manifest"]; {
	case len(o.Segments) > 0:
		for _, g := range o.Segments {
			piece, err := s.objectLocked(project, g.Container, g.Object)
			if err != nil || piece.ETag != g.ETag || piece.Size != g.Size {
				return nil, "", true, status(http.StatusConflict)
			}
			parts = append(parts, part{piece.Blob, piece.Size})
		}
		return parts, o.ETag, true, nil
	case manifest != "":
		parts, etag := s.dynamicLocked(project, manifest)
		return parts, etag, true, nil
	}
	return []part{{o.Blob, o.Size}}, o.ETag, false, nil
}

// dynamicLocked collects the objects that a dynamic large object consists of now, by name.
func (s *Service) dynamicLocked(project, manifest string) ([]part, string) {
	decoded, err := url.PathUnescape(manifest)
	if err != nil {
		decoded = manifest
	}
	name, prefix, _ := strings.Cut(decoded, "/")
	sum := md5.New()
	var parts []part
	if c, err := s.containerLocked(project, name); err == nil {
		var names []string
		for n, o := range c.Objects {
			if strings.HasPrefix(n, prefix) && o.Blob != "" && o.Headers["X-Object-Manifest"] == "" {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		for _, n := range names {
			o := c.Objects[n]
			_, _ = io.WriteString(sum, o.ETag) // a hash takes everything
			parts = append(parts, part{o.Blob, o.Size})
		}
	}
	return parts, hex.EncodeToString(sum.Sum(nil))
}

// A reader reads parts one after the other and seeks in them as in one file.
type reader struct {
	s      *Service
	parts  []part
	size   int64
	offset int64
	at     int // the part that f is
	f      *os.File
}

func newReader(s *Service, parts []part) *reader {
	r := &reader{s: s, parts: parts, at: -1}
	for _, p := range parts {
		r.size += p.size
	}
	return r
}

// open opens the first part, so that what is missing is noticed before an answer has begun.
func (r *reader) open() error {
	if r.size == 0 {
		return nil
	}
	_, err := r.seekPart()
	return err
}

// seekPart makes f the part that offset is in, and gives how much of it is left.
func (r *reader) seekPart() (int64, error) {
	start := int64(0)
	for i, p := range r.parts {
		if r.offset < start+p.size {
			if r.at != i {
				if err := r.change(i); err != nil {
					return 0, err
				}
			}
			_, err := r.f.Seek(r.offset-start, io.SeekStart)
			return start + p.size - r.offset, err
		}
		start += p.size
	}
	return 0, io.EOF
}

func (r *reader) change(to int) error {
	_ = r.Close()
	f, err := os.Open(r.s.blob(r.parts[to].blob))
	if errors.Is(err, fs.ErrNotExist) {
		return status(http.StatusNotFound) // deleted between look-up and reading
	}
	if err != nil {
		return err
	}
	r.f, r.at = f, to
	return nil
}

func (r *reader) Read(b []byte) (int, error) {
	left, err := r.seekPart()
	if err != nil {
		return 0, err
	}
	n, err := r.f.Read(b[:min(int64(len(b)), left)])
	r.offset += int64(n)
	return n, err
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	r.offset = offset
	return offset, nil
}

// Close closes the part that is open.
func (r *reader) Close() error {
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f, r.at = nil, -1
	return err
}

// putSLO takes the manifest of a static large object and checks each segment.
func (c *call) putSLO(o *object) error {
	if !c.owner {
		return status(http.StatusForbidden)
	}
	body, err := web.ReadBody(c.w, c.r, maxManifestSize)
	if err != nil {
		return err
	}
	var manifest []struct {
		Path string  `json:"path"`
		ETag *string `json:"etag"`
		Size *int64  `json:"size_bytes"`
	}
	if err := web.Decode(body, &manifest, web.RefuseUnknown); err != nil {
		return refuse(http.StatusBadRequest, "Manifest must be a list of segments with path, etag and size_bytes: %s", err)
	}
	if len(manifest) == 0 || len(manifest) > maxSegments {
		return refuse(http.StatusBadRequest, "Manifest must have 1 to %d segments", maxSegments)
	}
	sum := md5.New()
	o.Segments = []segment{}
	var wrong []string
	c.s.mu.Lock()
	for _, m := range manifest {
		container, name, _ := strings.Cut(strings.TrimPrefix(m.Path, "/"), "/")
		piece, err := c.s.objectLocked(c.account, container, name)
		switch {
		case container == c.container && name == c.object:
			wrong = append(wrong, m.Path+", is the manifest itself")
		case err != nil:
			wrong = append(wrong, m.Path+", 404 Not Found")
		case len(piece.Segments) > 0 || piece.Headers["X-Object-Manifest"] != "":
			wrong = append(wrong, m.Path+", is a large object itself")
		case m.Size != nil && *m.Size != piece.Size:
			wrong = append(wrong, m.Path+", Size Mismatch")
		case m.ETag != nil && strings.Trim(*m.ETag, `"`) != piece.ETag:
			wrong = append(wrong, m.Path+", Etag Mismatch")
		default:
			o.Segments = append(o.Segments, segment{container, name, piece.ETag, piece.Size})
			o.Size += piece.Size
			_, _ = io.WriteString(sum, piece.ETag) // a hash takes everything
		}
	}
	c.s.mu.Unlock()
	if wrong != nil {
		return refuse(http.StatusBadRequest, "Errors:\n%s\n", strings.Join(wrong, "\n"))
	}
	o.ETag = hex.EncodeToString(sum.Sum(nil))
	if want := strings.Trim(c.r.Header.Get("Etag"), `"`); want != "" && want != o.ETag {
		return status(http.StatusUnprocessableEntity)
	}
	return c.finish(o)
}

func (c *call) getManifest(o *object) error {
	raw := c.q.Get("format") == "raw"
	rows := []map[string]any{}
	for _, g := range o.Segments {
		path := "/" + g.Container + "/" + g.Object
		if raw {
			rows = append(rows, map[string]any{"path": path, "etag": g.ETag, "size_bytes": g.Size})
		} else {
			rows = append(rows, map[string]any{"name": path, "hash": g.ETag, "bytes": g.Size, "content_type": "application/octet-stream",
				"last_modified": listed(o.Modified)})
		}
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	sum := md5.Sum(body)
	h := c.w.Header()
	c.headers(o.Headers)
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Static-Large-Object", "True")
	h.Set("Etag", hex.EncodeToString(sum[:]))
	http.ServeContent(c.w, c.r, "", roundUp(o.Modified), bytes.NewReader(body))
	return nil
}

// deleteSLO deletes a static large object and its segments.
func (c *call) deleteSLO() error {
	if !c.owner {
		return status(http.StatusForbidden)
	}
	c.s.mu.Lock()
	o, err := c.s.objectLocked(c.account, c.container, c.object)
	c.s.mu.Unlock()
	if err != nil {
		return c.bulkAnswer(0, 1, nil)
	}
	if len(o.Segments) == 0 {
		return c.bulkAnswer(0, 0, []string{"/" + c.container + "/" + c.object + ", Not an SLO manifest"})
	}
	var names []string
	for _, g := range o.Segments {
		names = append(names, g.Container+"/"+g.Object)
	}
	return c.deleteAll(append(names, c.container+"/"+c.object))
}

// bulkDelete deletes what the body lists, one percent-encoded name per line.
func (c *call) bulkDelete() error {
	body, err := web.ReadBody(c.w, c.r, maxDeletes*(maxObjectName+maxContainerName))
	if err != nil {
		return err
	}
	var names []string
	for line := range strings.Lines(string(body)) {
		name, err := url.PathUnescape(strings.TrimSpace(line))
		if err != nil {
			return refuse(http.StatusBadRequest, "A name cannot be decoded: %.100q", line)
		}
		if name != "" {
			names = append(names, strings.TrimPrefix(name, "/"))
		}
	}
	if len(names) > maxDeletes {
		return refuse(http.StatusRequestEntityTooLarge, "Maximum Bulk Deletes: %d per request", maxDeletes)
	}
	return c.deleteAll(names)
}

func (c *call) deleteAll(names []string) error {
	gone, missing := 0, 0
	var wrong []string
	c.s.mu.Lock()
	for _, name := range names {
		container, object, _ := strings.Cut(name, "/")
		one, err := c.s.containerLocked(c.account, container)
		switch {
		case err != nil || object != "" && one.Objects[object] == nil:
			missing++
		case object != "":
			c.s.deleteLocked(one, object)
			gone++
		case len(one.Objects)+len(one.Versions) > 0:
			wrong = append(wrong, "/"+name+", 409 Conflict")
		default:
			delete(c.s.accounts[c.account].Containers, container)
			gone++
		}
	}
	c.s.mu.Unlock()
	return c.bulkAnswer(gone, missing, wrong)
}

// bulkAnswer is always 200; what became of it stands in the body.
func (c *call) bulkAnswer(gone, missing int, wrong []string) error {
	state := "200 OK"
	if wrong != nil {
		state = "400 Bad Request"
	} else if gone == 0 {
		state = "404 Not Found"
	}
	var body []byte
	if c.format() == "json" {
		errs := [][2]string{}
		for _, e := range wrong {
			name, why, _ := strings.Cut(e, ", ")
			errs = append(errs, [2]string{name, why})
		}
		var err error
		body, err = json.Marshal(map[string]any{
			"Number Deleted": gone, "Number Not Found": missing, "Response Body": "", "Response Status": state, "Errors": errs,
		})
		if err != nil {
			return err
		}
		c.w.Header().Set("Content-Type", "application/json")
	} else {
		body = fmt.Appendf(nil, "Number Deleted: %d\nNumber Not Found: %d\nResponse Body: \nResponse Status: %s\nErrors:\n%s\n", gone, missing, state,
			strings.Join(wrong, "\n"))
		c.w.Header().Set("Content-Type", "text/plain")
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(body) // a client that went away is no error of ours
	return nil
}
