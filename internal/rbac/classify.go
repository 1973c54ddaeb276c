package rbac

import "strings"

// Classify says which operation a request is and whether anything but the caller's roles forbids it. Without a body to look into
// it allocates nothing.
func (t *Table) Classify(req Request) Decision {
	n, project, foreign := t.find(req.Target, req.Project)
	if n == nil {
		return Decision{Verdict: Unknown}
	}
	r := n.route(req.Method)
	if r == nil {
		return Decision{Verdict: Unknown, Project: project}
	}
	if routed(req.Target.service) && isForm(req.Header) {
		return Decision{Verdict: Malformed, Project: project, Reason: "the body must not be a form; send application/json"}
	}
	d := r.judge(&req)
	d.Project = project
	if d.Operation != nil && d.Operation.Access != Public && foreign && req.Project != "" {
		d.Verdict, d.Field = OtherProject, "the path"
	}
	return d
}

// SearchedByName reports whether a call that no line names is how clients look in Neutron for an address or a name: as if it were an id, to search
// when they are told that there is none. With a dot in it there is none, since Neutron takes off what follows the dot.
func (t *Table) SearchedByName(target Target, method, own string) bool {
	end := strings.LastIndexByte(target.path, '/') + 1
	if target.service != Network || method != "GET" || !strings.Contains(target.path[end:], ".") {
		return false
	}
	target.path = target.path[:end] + "id"
	n, _, foreign := t.find(target, own)
	return n != nil && !foreign && n.route(method) != nil
}

// routed reports whether the service's router takes another method from a form in the body (routes.middleware).
func routed(s Service) bool { return s != ObjectStore && s != AITraining }

func isForm(header map[string][]string) bool {
	for _, v := range header["Content-Type"] {
		if containsFold(v, "application/x-www-form-urlencoded") || containsFold(v, "multipart/form-data") {
			return true
		}
	}
	return false
}

// encoded reports whether the body is compressed or the like: some servers undo that.
func encoded(header map[string][]string) bool {
	for _, v := range header["Content-Encoding"] {
		if v != "" && !strings.EqualFold(v, "identity") {
			return true
		}
	}
	return false
}

// find walks the path. It gives the project that the path names first, and whether it names any other than own.
func (t *Table) find(target Target, own string) (n *node, project string, foreign bool) {
	n = t.roots[target.service]
	rest := target.path
	for n != nil && rest != "" {
		seg := rest[1:]
		end := strings.IndexByte(seg, '/')
		if end < 0 {
			end = len(seg)
		}
		if end == 0 && len(rest) == 1 { // a final slash that ParseTarget let through: part of the place itself
			return n, project, foreign
		}
		seg, rest = seg[:end], seg[end:]
		next := n.literals[seg]
		if next == nil {
			next = n.below(seg, rest, target.service)
			if next != nil && next.isProj {
				id := seg[len(next.project):]
				foreign = foreign || id != own
				if project == "" {
					project = id
				}
			}
		}
		if next != nil && next.rest {
			return next, project, foreign
		}
		n = next
	}
	return n, project, foreign
}

// below gives the parameter's node if seg can be its value, with rest behind it. What is a literal sibling with any suffix is not, nor, in
// the services that take a format off the end, what has one, which for Neutron is whatever follows a dot: they would read another call.
// An id with a format is refused everywhere, as no service means anything by it.
// To pecan, of which Neutron's core is made, "index" with anything behind it is the collection.
func (n *node) below(seg, rest string, s Service) *node {
	m := n.param
	if m == nil || m.isProj && !strings.HasPrefix(seg, m.project) || s == Network && seg == "index" && rest != "" {
		return nil
	}
	if m.rest || s == ObjectStore {
		return m
	}
	dot := strings.IndexByte(seg, '.')
	if dot < 0 {
		return m
	}
	if s == Network || n.literals[seg[:dot]] != nil || hasFormat(seg) && (s == Volume || isUUID(seg[:dot])) {
		return nil
	}
	return m
}

func hasFormat(seg string) bool { return hasSuffixFold(seg, ".json") || hasSuffixFold(seg, ".xml") }

// isUUID reports whether s has the shape that the services give to ids. A key or a key pair may be called like a file, an id with a
// format behind it is only ever an attempt to say the same call otherwise.
func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && strings.Trim(s, "-0123456789abcdefABCDEF") == ""
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

func (n *node) route(method string) *route {
	for i := range n.routes {
		if n.routes[i].method == method {
			return &n.routes[i]
		}
	}
	if method == "HEAD" {
		return n.route("GET")
	}
	return nil
}

// judge finds the line that is meant and applies what it refuses and drops.
func (r *route) judge(req *Request) Decision {
	s := req.subject()
	op, outside := r.outside(req, s)
	if !outside || op != nil && op.refusesInBody() {
		return r.judgeBody(req, s, op)
	}
	if op == nil {
		return Decision{Verdict: Unknown}
	}
	return op.judge(req, s, nil)
}

// outside finds the line that is meant as far as it can without the body: false says that it cannot.
func (r *route) outside(req *Request, s subject) (op *Operation, known bool) {
	if r.actions != nil {
		return nil, false
	}
	for _, op := range r.ops {
		inBody := false
		if op.meant(req, s, nil, &inBody) {
			return op, !inBody
		}
	}
	return nil, true
}

// judgeBody judges by the body. Op is the line that is meant, if that is known already.
func (r *route) judgeBody(req *Request, s subject, op *Operation) Decision {
	if encoded(req.Header) {
		return Decision{Verdict: Malformed, Operation: op, Reason: "this call's body must not be encoded (Content-Encoding)"}
	}
	if !req.HasBody {
		if r.actions != nil {
			op = nil
		}
		return Decision{Verdict: NeedsBody, Operation: op}
	}
	w, reason := walk(req.Body, r.inBody, s)
	defer w.free()
	if reason != "" {
		return Decision{Verdict: Malformed, Operation: op, Reason: reason}
	}
	if r.actions != nil {
		return r.judgeAction(req, s, w)
	}
	for _, op := range r.ops {
		if op.meant(req, s, w, nil) {
			return op.judge(req, s, w)
		}
	}
	return Decision{Verdict: Unknown}
}

// judgeAction finds the line by the body's only member.
func (r *route) judgeAction(req *Request, s subject, w *walker) Decision {
	if w.members != 1 {
		return Decision{Verdict: Malformed, Reason: "the body must be an object with exactly one member, the action"}
	}
	for _, op := range r.actions[string(w.first)] {
		if op.meant(req, s, w, nil) {
			return op.judge(req, s, w)
		}
	}
	return Decision{Verdict: Unknown, Field: string(w.first)}
}

// meant reports whether the conditions of the line hold. Without a walked body those on the body count as held, and inBody says
// that there are such.
func (o *Operation) meant(req *Request, s subject, w *walker, inBody *bool) bool {
	for i := range o.when {
		c := &o.when[i]
		switch {
		case c.onBody() && w == nil:
			*inBody = true
		case !c.met(req, s, w):
			return false
		}
	}
	return true
}

// met tests the condition on a request whose body, if it matters, has been walked.
func (c *condition) met(req *Request, s subject, w *walker) bool {
	switch c.place {
	case inQuery:
		return c.inQuery(req.Target.query, s)
	case inHeader:
		return c.inHeader(req.Header, s)
	case inSegment:
		return c.holds(s.segment, s)
	}
	return w != nil && w.hit(c)
}

func (o *Operation) refusesInBody() bool {
	for i := range o.refuse {
		if o.refuse[i].onBody() {
			return true
		}
	}
	return false
}

// judge applies what the line refuses and drops.
func (o *Operation) judge(req *Request, s subject, w *walker) Decision {
	d := Decision{Verdict: Judged, Operation: o}
	query := o.mayName(req.Target.query)
	for i := range o.refuse {
		if c := &o.refuse[i]; (query || c.place != inQuery) && c.met(req, s, w) {
			d.Verdict, d.Field, d.Reason = c.refusal(), c.text, c.why
			return d
		}
	}
	d.Query = req.Target.query
	if query {
		d.Query, d.Dropped = without(req.Target.query, o.drop, s)
	}
	return d
}

// refusal is the verdict where the condition of a refusal is met.
func (c *condition) refusal() Verdict {
	switch {
	case c.why != "":
		return NotTaken
	case c.test == foreignProject || c.test == foreignAccount:
		return OtherProject
	}
	return AdminOnly
}

// mayName reports whether a parameter of the query may be one that the line refuses or drops, by its first letter: most never are.
func (o *Operation) mayName(query string) bool {
	for query != "" {
		if first := query[0]; first == '%' || o.letters[first>>6]>>(first&63)&1 != 0 {
			return true
		}
		next := strings.IndexByte(query, '&')
		if next < 0 {
			break
		}
		query = query[next+1:]
	}
	return false
}

// setLetters prepares mayName.
func (o *Operation) setLetters() {
	for _, list := range [][]condition{o.refuse, o.drop} {
		for i := range list {
			if list[i].place == inQuery {
				first := list[i].name[0]
				o.letters[first>>6] |= 1 << (first & 63)
			}
		}
	}
}

func (r *Request) subject() subject {
	path := r.Target.path
	return subject{r.Project, path[strings.LastIndexByte(path, '/')+1:]}
}
