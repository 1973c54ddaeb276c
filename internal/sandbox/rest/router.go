package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Handler serves one operation or returns an error and has then written nothing.
type Handler func(w http.ResponseWriter, r *Request) error

// A Request is a request on its way to one operation.
type Request struct {
	*http.Request
	Identity
	params map[string]string
}

// Param gives a path parameter, percent-decoded; "" if the route has none of that name.
func (r *Request) Param(name string) string { return r.params[name] }

// A Router finds the Handler of a method and path. It works on the path as it came on the wire, splits it before it decodes,
// never cleans and never redirects. A trailing slash is ignored, as most services' routers do.
type Router struct {
	root       node
	writeError func(http.ResponseWriter, *http.Request, error)
}

type node struct {
	literal map[string]*node
	param   *node
	name    string // of param
	methods map[string]Handler
}

// NewRouter makes an empty Router whose errors, 404 and 405 among them, are written by writeError.
func NewRouter(writeError func(http.ResponseWriter, *http.Request, error)) *Router {
	return &Router{writeError: writeError}
}

// Handle adds a route: "GET /servers/{id}". A literal segment is preferred to a parameter. HEAD is served by GET's handler.
// Routes are fixed text in our sources, so a malformed one panics.
func (rt *Router) Handle(pattern string, h Handler) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		panic("rest: route " + pattern)
	}
	n := &rt.root
	for _, seg := range segments(path) {
		n = n.child(seg)
	}
	if n.methods == nil {
		n.methods = map[string]Handler{}
	}
	n.methods[method] = h
}

func (n *node) child(seg string) *node {
	if strings.HasPrefix(seg, "{") {
		if n.param == nil {
			n.param, n.name = &node{}, strings.Trim(seg, "{}")
		}
		if n.name != strings.Trim(seg, "{}") {
			panic("rest: two names for one path parameter: " + n.name + " and " + seg)
		}
		return n.param
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[seg] == nil {
		n.literal[seg] = &node{}
	}
	return n.literal[seg]
}

// ServeHTTP implements http.Handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := rt.serve(w, r, r.URL.EscapedPath()); err != nil {
		rt.writeError(w, r, err)
	}
}

// ServePath serves r as if its escaped path were path: for services that strip a project id first.
func (rt *Router) ServePath(w http.ResponseWriter, r *http.Request, path string) {
	if err := rt.serve(w, r, path); err != nil {
		rt.writeError(w, r, err)
	}
}

func (rt *Router) serve(w http.ResponseWriter, r *http.Request, path string) error {
	params := map[string]string{}
	n := rt.root.find(segments(path), params)
	if n == nil {
		return Errorf(http.StatusNotFound, "The resource could not be found.")
	}
	method := r.Method
	if method == http.MethodHead && n.methods[method] == nil {
		method = http.MethodGet
	}
	h := n.methods[method]
	if h == nil {
		w.Header().Set("Allow", n.allow())
		return Errorf(http.StatusMethodNotAllowed, "The method is not allowed for this resource.")
	}
	return h(w, &Request{Request: r, Identity: IdentityOf(r), params: params})
}

func (n *node) find(segs []string, params map[string]string) *node {
	if len(segs) == 0 {
		if n.methods == nil {
			return nil
		}
		return n
	}
	if next := n.literal[segs[0]]; next != nil {
		if found := next.find(segs[1:], params); found != nil {
			return found
		}
	}
	if n.param == nil {
		return nil
	}
	value, err := url.PathUnescape(segs[0])
	if err != nil || value == "" {
		return nil
	}
	found := n.param.find(segs[1:], params)
	if found != nil {
		params[n.name] = value
	}
	return found
}

func (n *node) allow() string {
	var names []string
	for m := range n.methods {
		names = append(names, m)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func segments(path string) []string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
