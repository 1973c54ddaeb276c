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
	d := r.choose(req)
	d.Project = project
	if d.Operation == nil {
		return d
	}
	if d.Operation.Access != Public && foreign && req.Project != "" {
		d.Verdict, d.Field = OtherProject, "the path"
		return d
	}
	return d.Operation.judge(req, d)
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
			next = n.below(seg)
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

// below gives the parameter's node if seg can be its value. What has a format suffix, or is a literal sibling with any suffix, is
// not: some services take the suffix off and would read another call.
func (n *node) below(seg string) *node {
	m := n.param
	if m == nil || m.isProj && !strings.HasPrefix(seg, m.project) {
		return nil
	}
	if m.rest {
		return m
	}
	if dot := strings.IndexByte(seg, '.'); dot > 0 && n.literals[seg[:dot]] != nil {
		return nil
	}
	if hasSuffixFold(seg, ".json") || hasSuffixFold(seg, ".xml") {
		return nil
	}
	return m
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

// choose finds the line that is meant.
func (r *route) choose(req Request) Decision {
	if r.actions != nil {
		return r.action(req)
	}
	for _, op := range r.ops {
		if op.meant(req) {
			return Decision{Verdict: Judged, Operation: op}
		}
	}
	return Decision{Verdict: Unknown}
}

func (o *Operation) meant(req Request) bool {
	for i := range o.when {
		if !o.when[i].outside(req) {
			return false
		}
	}
	return true
}

// outside tests a condition on query or header.
func (c *condition) outside(req Request) bool {
	switch c.place {
	case inQuery:
		return c.inQuery(req.Target.query, req.subject())
	case inHeader:
		return c.inHeader(req.Header, req.subject())
	}
	return false
}

// action finds the line by the body's only member.
func (r *route) action(req Request) Decision {
	if !req.HasBody {
		return Decision{Verdict: NeedsBody}
	}
	name, reason := onlyMember(req.Body)
	if reason != "" {
		return Decision{Verdict: Malformed, Reason: reason}
	}
	op := r.actions[name]
	if op == nil {
		return Decision{Verdict: Unknown, Field: name}
	}
	return Decision{Verdict: Judged, Operation: op}
}

// judge applies what the line refuses and drops.
func (o *Operation) judge(req Request, d Decision) Decision {
	for i := range o.refuse {
		if c := &o.refuse[i]; c.outside(req) {
			return d.refused(c)
		}
	}
	if o.body {
		if !req.HasBody {
			d.Verdict = NeedsBody
			return d
		}
		c, reason := o.inspect(req.Body, req.subject())
		if reason != "" {
			d.Verdict, d.Reason = Malformed, reason
			return d
		}
		if c != nil {
			return d.refused(c)
		}
	}
	d.Query, d.Dropped = without(req.Target.query, o.drop, req.subject())
	return d
}

func (r *Request) subject() subject {
	path := r.Target.path
	return subject{r.Project, path[strings.LastIndexByte(path, '/')+1:]}
}

func (d Decision) refused(c *condition) Decision {
	d.Verdict, d.Field = AdminOnly, c.text
	if c.test == foreignProject || c.test == foreignAccount {
		d.Verdict = OtherProject
	}
	return d
}
