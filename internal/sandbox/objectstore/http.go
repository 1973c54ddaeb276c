package objectstore

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/stackgate/stackgate/internal/sandbox/rest"
	"github.com/stackgate/stackgate/internal/web"
)

// The constraints that /info states.
const (
	maxContainerName = 256
	maxObjectName    = 1024
	maxMetaName      = 128
	maxMetaValue     = 256
	maxMetaCount     = 90
	maxMetaSize      = 4096
	maxListing       = 10000
)

// An httpError is an answer other than success: with a body of its own, or with Swift's page for the status.
type httpError struct {
	status int
	body   string
}

func (e *httpError) Error() string { return http.StatusText(e.status) + " " + e.body }

func status(code int) error { return &httpError{status: code} }

func refuse(code int, format string, args ...any) error {
	return &httpError{code, fmt.Sprintf(format, args...)}
}

// A call is one request and what its path names. Account is the project whose account it is.
type call struct {
	s                          *Service
	w                          http.ResponseWriter
	r                          *http.Request
	q                          url.Values
	account, container, object string
	who                        rest.Identity
	owner                      bool // who asks is the account's own project
	signed                     bool // by a TempURL for this very object
}

// ServeHTTP answers one call. Paths are those behind the endpoint's root.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	transaction(w, r, s.c.Now())
	if err := s.route(w, r); err != nil {
		writeError(w, r, err)
	}
}

// transaction gives the answer Swift's transaction id, made of the request's id so that one can be found by the other.
func transaction(w http.ResponseWriter, r *http.Request, now time.Time) {
	id := strings.TrimPrefix(web.RequestID(r), "req-")
	if id == "" {
		id = uuid.NewString()
	}
	id = strings.ReplaceAll(id, "-", "")
	tx := fmt.Sprintf("tx%.21s-%010x", id, now.Unix())
	w.Header().Set("X-Trans-Id", tx)
	w.Header().Set("X-Openstack-Request-Id", tx)
	web.EventOf(r.Context()).Add(slog.String("trans_id", tx))
}

func (s *Service) route(w http.ResponseWriter, r *http.Request) error {
	path, err := decodedPath(r.URL)
	if err != nil || !utf8.ValidString(path) || strings.ContainsRune(path, 0) {
		return refuse(http.StatusPreconditionFailed, "Invalid UTF8 or contains NULL")
	}
	switch path {
	case "/info":
		return s.info(w, r)
	case "/healthcheck":
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("OK")) // a client that went away is no error of ours
		return nil
	}
	// Split after decoding, as Swift does: an encoded slash is a slash.
	parts := append(strings.SplitN(strings.TrimPrefix(path, "/"), "/", 4), "", "", "")
	project, ok := strings.CutPrefix(parts[1], "AUTH_")
	if parts[0] != "v1" && parts[0] != "v1.0" || !ok || project == "" || parts[2] == "" && parts[3] != "" {
		return status(http.StatusNotFound)
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !utf8.ValidString(r.URL.RawQuery) {
		return refuse(http.StatusPreconditionFailed, "The query cannot be read.")
	}
	c := &call{s: s, w: w, r: r, q: q, account: project, container: parts[2], object: parts[3], who: rest.IdentityOf(r)}
	if err := c.check(path); err != nil {
		return err
	}
	return c.serve()
}

// decodedPath is the path as it came, decoded once; a proxy in the same process may have put it into Opaque.
func decodedPath(u *url.URL) (string, error) {
	if strings.HasPrefix(u.Opaque, "/") && !strings.HasPrefix(u.Opaque, "//") {
		return url.PathUnescape(u.Opaque)
	}
	return u.Path, nil
}

// check checks names and metadata, and then whether whoever asks may.
func (c *call) check(path string) error {
	if n := len(c.container); n > maxContainerName {
		return refuse(http.StatusBadRequest, "Container name length of %d longer than %d", n, maxContainerName)
	}
	if n := len(c.object); n > maxObjectName {
		return refuse(http.StatusBadRequest, "Object name length of %d longer than %d", n, maxObjectName)
	}
	for name, values := range c.q {
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return refuse(http.StatusPreconditionFailed, "The query is not UTF-8.")
		}
	}
	if err := checkHeaders(c.r.Header); err != nil {
		return err
	}
	return c.authorize(path)
}

func checkHeaders(h http.Header) error {
	count, size := 0, 0
	for name, values := range h {
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return refuse(http.StatusBadRequest, "Metadata must be valid UTF-8")
		}
		kind, key, ok := strings.Cut(strings.TrimPrefix(name, "X-"), "-Meta-")
		if !ok || kind != "Account" && kind != "Container" && kind != "Object" {
			continue
		}
		count, size = count+1, size+len(key)+len(values[0])
		switch {
		case key == "":
			return refuse(http.StatusBadRequest, "Metadata name cannot be empty")
		case len(key) > maxMetaName:
			return refuse(http.StatusBadRequest, "Metadata name too long: %s", name)
		case len(values[0]) > maxMetaValue:
			return refuse(http.StatusBadRequest, "Metadata value longer than %d: %s", maxMetaValue, name)
		}
	}
	if count > maxMetaCount {
		return refuse(http.StatusBadRequest, "Too many metadata items; max %d", maxMetaCount)
	}
	if size > maxMetaSize {
		return refuse(http.StatusBadRequest, "Total metadata too large; max %d", maxMetaSize)
	}
	return nil
}

// authorize is Swift's own judgement: the account's project may all, a TempURL its object, an ACL's projects the container's
// objects, and everyone what is public. The gateway has judged before; what it lets through without a token ends up here.
func (c *call) authorize(path string) error {
	if c.q.Has("temp_url_sig") || c.q.Has("temp_url_expires") {
		return c.tempURL(path)
	}
	if c.who.ProjectID != "" && c.who.ProjectID == c.account {
		c.owner = true
		return nil
	}
	if c.r.Method == http.MethodOptions || c.allowedByACL() {
		return nil
	}
	if c.who.ProjectID != "" {
		return status(http.StatusForbidden)
	}
	c.w.Header().Set("Www-Authenticate", `Swift realm="AUTH_`+url.PathEscape(c.account)+`"`)
	return status(http.StatusUnauthorized)
}

func (c *call) allowedByACL() bool {
	if c.container == "" {
		return false
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	a := c.s.accounts[c.account]
	if a == nil || a.Containers[c.container] == nil {
		return false
	}
	headers := a.Containers[c.container].Headers
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		return c.inACL(headers["X-Container-Read"], true)
	case http.MethodPut, http.MethodPost, http.MethodDelete:
		return c.object != "" && c.inACL(headers["X-Container-Write"], false)
	}
	return false
}

// inACL reads an ACL: .r:* and .rlistings for everyone, project:user with either as * for those with a token.
func (c *call) inACL(acl string, read bool) bool {
	referrer, listings := false, false
	for item := range strings.SplitSeq(acl, ",") {
		item = strings.TrimSpace(item)
		project, user, ok := strings.Cut(item, ":")
		switch {
		case item == ".r:*" || item == ".referrer:*":
			referrer = true
		case item == ".rlistings":
			listings = true
		case !ok || c.who.ProjectID == "":
		case (project == "*" || project == c.who.ProjectID) && (user == "*" || user == c.who.UserID):
			return true
		}
	}
	return read && referrer && (c.object != "" || listings)
}

func (c *call) serve() error {
	type key struct{ level, method string }
	level := "object"
	if c.container == "" {
		level = "account"
	} else if c.object == "" {
		level = "container"
	}
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	f, ok := map[key]func() error{
		{"account", "GET"}: c.getAccount, {"account", "POST"}: c.postAccount, {"account", "DELETE"}: c.deleteAccount, {"account", "PUT"}: c.putAccount,
		{"container", "GET"}: c.getContainer, {"container", "PUT"}: c.putContainer, {"container", "POST"}: c.postContainer,
		{"container", "DELETE"}: c.deleteContainer, {"object", "GET"}: c.getObject, {"object", "PUT"}: c.putObject, {"object", "POST"}: c.postObject,
		{"object", "DELETE"}: c.deleteObject, {"object", "COPY"}: c.copyObject,
		{"account", "OPTIONS"}: c.options, {"container", "OPTIONS"}: c.options, {"object", "OPTIONS"}: c.options,
	}[key{level, method}]
	if !ok {
		c.w.Header().Set("Allow", map[string]string{
			"account": "GET, HEAD, OPTIONS, POST", "container": "DELETE, GET, HEAD, OPTIONS, POST, PUT",
			"object": "COPY, DELETE, GET, HEAD, OPTIONS, POST, PUT",
		}[level])
		return status(http.StatusMethodNotAllowed)
	}
	return f()
}

// options answers a browser that asks before a cross-origin call.
func (c *call) options() error {
	origin := c.r.Header.Get("Origin")
	c.w.Header().Set("Allow", "HEAD, GET, PUT, POST, OPTIONS, DELETE, COPY")
	if origin == "" {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	a := c.s.accounts[c.account]
	if a == nil || a.Containers[c.container] == nil {
		return status(http.StatusUnauthorized)
	}
	for allowed := range strings.FieldsSeq(a.Containers[c.container].Headers["X-Container-Meta-Access-Control-Allow-Origin"]) {
		if allowed == "*" || allowed == origin {
			c.w.Header().Set("Access-Control-Allow-Origin", allowed)
			c.w.Header().Set("Access-Control-Allow-Methods", "HEAD, GET, PUT, POST, OPTIONS, DELETE, COPY")
			if want := c.r.Header.Get("Access-Control-Request-Headers"); want != "" {
				c.w.Header().Set("Access-Control-Allow-Headers", want)
			}
			c.w.WriteHeader(http.StatusOK)
			return nil
		}
	}
	return status(http.StatusUnauthorized)
}

// done answers without a body.
func (c *call) done(code int) error {
	if code != http.StatusNoContent {
		c.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		c.w.Header().Set("Content-Length", "0")
	}
	c.w.WriteHeader(code)
	return nil
}

func (c *call) headers(stored map[string]string) {
	for name, value := range stored {
		c.w.Header().Set(name, value)
	}
}

func timestamp(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', 5, 64)
}

// writeError writes Swift's page for a status.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*httpError](err)
	if !ok {
		if we, is := web.AsError(err); is {
			e = &httpError{we.Status, we.Message}
		} else {
			web.EventOf(r.Context()).Err = err
			e = &httpError{status: http.StatusInternalServerError}
		}
	}
	body := e.body
	if body == "" {
		body = page(e.status)
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body)) // a client that went away is no error of ours
	}
}

func page(code int) string {
	title := http.StatusText(code)
	text := map[int]string{
		http.StatusBadRequest:            "The server could not comply with the request since it is either malformed or otherwise incorrect.",
		http.StatusUnauthorized:          "This server could not verify that you are authorized to access the document you requested.",
		http.StatusForbidden:             "Access was denied to this resource.",
		http.StatusNotFound:              "The resource could not be found.",
		http.StatusMethodNotAllowed:      "The method is not allowed for this resource.",
		http.StatusConflict:              "There was a conflict when trying to complete your request.",
		http.StatusLengthRequired:        "Content-Length header required.",
		http.StatusPreconditionFailed:    "A precondition for this request was not met.",
		http.StatusRequestEntityTooLarge: "The body of your request was too large for this server.",
		http.StatusUnprocessableEntity:   "Unable to process the contained instructions",
		http.StatusInternalServerError:   "The server has either erred or is incapable of performing the requested operation.",
	}[code]
	return "<html><h1>" + title + "</h1><p>" + text + "</p></html>"
}
