package rbac

import (
	"slices"
	"strings"
)

// oddIDs are words that mean something to Neutron or pecan where an id is due.
var oddIDs = []string{"1", "index", "new", "edit", "get", "put", "post", "create", "delete", "not_supported", "plugin", "item_controller_class", "tags", "tenant", "default",
	"policies", "networks", "bindings", "qos", "log"}

// meetings puts the words of Neutron's paths together in every way that is at most four segments long, and gives what is accepted of it:
// collections under the prefixes of others, and odd words where ids are due.
func (t *Table) meetings() (out []spelling) {
	firsts, words := t.networkWords()
	seen := map[string]bool{}
	ask := func(path string) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if p := t.taken(Network, method, "/v2.0/"+path); p.canonical != "" && !seen[method+path] && oddly(p) {
				seen[method+path] = true
				out = append(out, p)
			}
		}
	}
	for _, a := range words {
		ask(a)
		for _, b := range words {
			ask(a + "/" + b)
			ask(a + "/1/" + b)
			ask(a + "/1/" + b + "/1")
			for _, first := range firsts {
				ask(first + "/" + a + "/1/" + b)
				ask(first + "/" + a + "/" + b)
			}
		}
	}
	return out
}

// networkWords gives what may stand before Neutron's collections, and all words of its paths, with odd ids.
func (t *Table) networkWords() (firsts, words []string) {
	words = slices.Clone(oddIDs)
	for _, op := range t.all {
		if op.Service != Network {
			continue
		}
		segs := strings.Split(strings.Trim(op.Path, "/"), "/")
		if len(segs) > 1 && !strings.Contains(segs[1], "{") {
			firsts = append(firsts, segs[0])
		}
		for _, seg := range segs {
			if seg != "" && !strings.Contains(seg, "{") {
				words = append(words, seg, strings.ReplaceAll(seg, "-", "_"), strings.ReplaceAll(seg, "_", "-"))
			}
		}
	}
	slices.Sort(firsts)
	slices.Sort(words)
	return slices.Compact(firsts), slices.Compact(words)
}

// oddly reports whether the ids of an accepted path are among the odd ones: with all the others there are too many.
func oddly(p spelling) bool {
	sent := strings.Split(p.sent, "/")[2:]
	for i, seg := range strings.Split(p.op.Path, "/")[1:] {
		if strings.HasPrefix(seg, "{") && !slices.Contains(oddIDs, sent[i]) {
			return false
		}
	}
	return true
}
