package cloud

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// links are the roots of a region's services, and where clients reach them: with us.
type links struct {
	identity string
	roots    []root // longest first
	longest  int
}

// A root is an address without its scheme: services behind something that does TLS often say http:// of themselves.
type root struct{ from, to string }

func newLinks(identity, authURL string) *links {
	l := &links{identity: identity}
	if u, err := url.Parse(authURL); err == nil && identity != "" {
		l.add(u.Host, strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/v3"), strings.TrimSuffix(identity, "/v3"))
	}
	return l
}

func (l *links) add(host, prefix, to string) {
	l.roots = append(l.roots, root{host + prefix, to})
	slices.SortStableFunc(l.roots, func(a, b root) int { return len(b.from) - len(a.from) })
	l.longest = max(l.longest, len("https://")+len(host+prefix)+1)
}

// match reports how many bytes at the start of b are a root, and what stands for it.
func (l *links) match(b []byte) (n int, to string) {
	for _, scheme := range [...]string{"https://", "http://"} {
		rest, ok := bytes.CutPrefix(b, []byte(scheme))
		if !ok {
			continue
		}
		for _, r := range l.roots {
			if len(rest) >= len(r.from) && string(rest[:len(r.from)]) == r.from && ends(rest[len(r.from):]) {
				return len(scheme) + len(r.from), r.to
			}
		}
	}
	return 0, ""
}

// ends reports whether a root may end before b, so that host1 is not found in host11.
func ends(b []byte) bool { return len(b) == 0 || strings.IndexByte(`/"?#`, b[0]) >= 0 }

// answer gives what has the links of answers of e lead to us: in headers, and in JSON unless bodies are the tenant's own. No compressed body
// is looked into.
func (l *links) answer(e *Endpoint, public string) func(*http.Response) error {
	return func(resp *http.Response) error {
		l.headers(resp.Header, e.Prefix, public)
		if e.Verbatim || !isJSON(resp.Header) || resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode == http.StatusPartialContent {
			return nil
		}
		return l.body(resp)
	}
}

// addresses are the headers that hold one.
var addresses = [...]string{"Location", "Content-Location", "X-Storage-Url"}

func (l *links) headers(h http.Header, prefix, public string) {
	for _, name := range addresses {
		for i, v := range h[name] {
			h[name][i] = l.address(v, prefix, public)
		}
	}
	for i, v := range h["Www-Authenticate"] {
		if strings.HasPrefix(v, "Keystone ") {
			h["Www-Authenticate"][i] = `Keystone uri="` + l.identity + `"`
		}
	}
}

// address gives an address as clients are to see it. A path is one on the service's host, and so below its root.
func (l *links) address(v, prefix, public string) string {
	if n, to := l.match([]byte(v)); n > 0 {
		return to + v[n:]
	}
	if path, ok := strings.CutPrefix(v, prefix); ok && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		return public + path
	}
	return v
}

func isJSON(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	encoding := h.Get("Content-Encoding")
	return (kind == "application/json" || strings.HasSuffix(kind, "+json") || kind == "application/json-home") &&
		(encoding == "" || encoding == "identity")
}

// maxBuffered is the size up to which a body is held, so that its new length is known before it is sent. A larger one loses
// its Content-Length, and goes on as it comes.
const maxBuffered = 1 << 20

// body has the links in a JSON body lead to us.
func (l *links) body(resp *http.Response) error {
	noBody := resp.Request.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	if noBody || resp.ContentLength == 0 {
		if resp.Request.Method == http.MethodHead {
			resp.Header.Del("Content-Length") // nobody knows how long it would be
		}
		return nil
	}
	stream := &replacer{src: resp.Body, links: l}
	resp.Header.Del("Etag") // of other bytes
	if resp.ContentLength < 0 || resp.ContentLength > maxBuffered {
		resp.Body, resp.ContentLength = stream, -1
		resp.Header.Del("Content-Length")
		return nil
	}
	text, err := io.ReadAll(stream)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

// A replacer replaces roots at the start of JSON texts, as they pass.
type replacer struct {
	src   io.ReadCloser
	links *links
	in    []byte // read and not looked at yet
	out   []byte // looked at and not given yet
	err   error  // of src
}

// Close closes what is read from.
func (r *replacer) Close() error { return r.src.Close() }

// Read gives what is ready, and reads when nothing is.
func (r *replacer) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// fill reads once and looks at all that can be decided.
func (r *replacer) fill() {
	const chunk = 16 << 10
	r.in = slices.Grow(r.in, chunk)
	n, err := r.src.Read(r.in[len(r.in) : len(r.in)+chunk])
	r.in, r.err = r.in[:len(r.in)+n], err
	out, left := r.out[:0], r.in
	for {
		i := bytes.Index(left, []byte(start))
		if i < 0 {
			keep := len(left) - r.begun(left)
			out, left = append(out, left[:keep]...), left[keep:]
			break
		}
		if r.err == nil && r.links.undecided(left[i+1:]) {
			out, left = append(out, left[:i]...), left[i:]
			break
		}
		n, to := r.links.match(left[i+1:])
		out = append(out, left[:i+1]...)
		out = append(out, to...)
		if left = left[i+1+n:]; n == 0 {
			out, left = append(out, left[:len(start)-1]...), left[len(start)-1:]
		}
	}
	r.in = r.in[:copy(r.in, left)]
	r.out = out
}

// start is what every text begins with that may be a link.
const start = `"http`

// begun is how many bytes at the end of b may be the beginning of start. No others are held back: what the service has sent is to go on.
func (r *replacer) begun(b []byte) int {
	for n := min(len(b), len(start)-1); n > 0 && r.err == nil; n-- {
		if string(b[len(b)-n:]) == start[:n] {
			return n
		}
	}
	return 0
}

// undecided reports whether more of a text must be read to know whether it is a link.
func (l *links) undecided(b []byte) bool { return len(b) < l.longest && bytes.IndexByte(b, '"') < 0 }
