package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stackgate/stackgate/internal/rbac"
)

// writeOperations writes a page of docs/operations: the operations of one service, by family. What is refused throughout is said once.
func writeOperations(w io.Writer, ops []*rbac.Operation) {
	if len(ops) == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "# %s\n\nMade by `stackgate operation list --service %s --markdown` from the operation table, whose language is described in\n"+
		"[internal/rbac/operations](../../internal/rbac/operations/README.md). A call that does not stand here is refused.\n",
		title(ops[0].Service), ops[0].Service.CatalogType())
	always := refusedThroughout(ops)
	writeRefused(w, "Refused in every call", always)
	for _, family := range families(ops) {
		_, _ = fmt.Fprintf(w, "\n## %s\n", upper(family[0].Family))
		common := slices.DeleteFunc(refusedThroughout(family), func(c string) bool { return slices.Contains(always, c) })
		if len(family) == 1 {
			common = nil
		}
		writeRefused(w, "Refused in all of these that can have it", common)
		_, _ = fmt.Fprint(w, "\n| call | rule | who may | refused |\n|---|---|---|---|\n")
		said := append(common, always...)
		for _, op := range family {
			writeOperation(w, op, said)
		}
	}
}

func writeOperation(w io.Writer, op *rbac.Operation, said []string) {
	_, refused, dropped := op.Conditions()
	refused = slices.DeleteFunc(refused, func(c string) bool { return slices.Contains(said, c) })
	text := codes(refused)
	if len(dropped) > 0 {
		text = strings.TrimPrefix(text+"; taken out: "+codes(dropped), "; ")
	}
	_, _ = fmt.Fprintf(w, "| `%s %s` | %s | %s | %s |\n", op.Method, cell(callOf(op)), codes([]string{op.Rule}), whoMay(op), text)
}

func writeRefused(w io.Writer, what string, refused []string) {
	if len(refused) > 0 {
		_, _ = fmt.Fprintf(w, "\n%s: %s\n", what, codes(refused))
	}
}

// families splits operations where the family changes.
func families(ops []*rbac.Operation) [][]*rbac.Operation {
	var out [][]*rbac.Operation
	for i, op := range ops {
		if i == 0 || op.Family != ops[i-1].Family {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], op)
	}
	return out
}

// refusedThroughout gives the conditions that all operations refuse; those on bodies need only be in those that have one.
func refusedThroughout(ops []*rbac.Operation) []string {
	var out []string
	for _, op := range ops {
		_, refused, _ := op.Conditions()
		for _, c := range refused {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return slices.DeleteFunc(out, func(c string) bool {
		return slices.ContainsFunc(ops, func(op *rbac.Operation) bool {
			_, refused, _ := op.Conditions()
			bodiless := op.Method == "GET" || op.Method == "DELETE"
			return !slices.Contains(refused, c) && (!bodiless || c[0] == '?' || c[0] == '@')
		})
	})
}

func title(s rbac.Service) string {
	return map[rbac.Service]string{rbac.Compute: "Compute (Nova)", rbac.Volume: "Block Storage (Cinder)", rbac.Image: "Image (Glance)",
		rbac.Network: "Networking (Neutron)", rbac.ObjectStore: "Object Storage (Swift)", rbac.AITraining: "AI Training"}[s]
}

func upper(s string) string {
	if s == "" {
		return "Calls"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// codes writes words as code, separated by spaces.
func codes(words []string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, "`"+cell(w)+"`")
		}
	}
	return strings.Join(out, " ")
}
