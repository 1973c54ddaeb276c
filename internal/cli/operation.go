package cli

import (
	"bufio"
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/stackgate/stackgate/internal/rbac"
)

// maxCallLine bounds a line of input: the largest body that the gateway looks into, escaped as JSON may escape it.
const maxCallLine = 8 << 20

func (a *app) operation() *cobra.Command {
	var file, dir string
	c := &cobra.Command{
		Use: "operation", Short: "Say which roles allow an OpenStack call", Args: cobra.NoArgs,
		Long: `Say which roles allow an OpenStack call, as the gateway would judge it.

Reads one call per line, as JSON, and prints one answer per line, as JSON. Of a call (other members are ignored):
  service   its type in the catalog: compute, block-storage, image, network, object-store, ai-training
  method    GET, POST, …
  path      as on the wire, behind the service's endpoint root: /v2.1/servers
  query     as on the wire, without the question mark
  headers   names and values; a value may be a list
  body      the raw text
  project   the token's project
Of an answer:
  operation the service's policy rule, or method and path; "" where no rule names the call
  roles     those that allow it, any one of them; [] where nobody may
  public    whether no token is needed
  refused   why nobody may: malformed, unknown, the administrator's, another project's; "" otherwise`,
		Example: `  echo '{"service":"compute","method":"POST","path":"/v2.1/servers/1/action","body":"{\"createImage\":{}}","project":"0f0f"}' | stackgate operation
  stackgate operation list --service network`,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.operationTable(dir)
			if err != nil {
				return err
			}
			return a.judgeCalls(t, file)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "-", "`file` with the calls; - for standard input")
	c.PersistentFlags().StringVar(&dir, "operations", "", "`directory` of further operations, as in the server's configuration")
	c.AddCommand(a.operationList(&dir))
	return c
}

// operationTable compiles the operation table with the operator's files in dir, if any.
func (a *app) operationTable(dir string) (*rbac.Table, error) {
	if dir == "" {
		return rbac.NewTable()
	}
	files, err := rbac.ReadFiles(dir)
	if err != nil {
		return nil, err
	}
	t, err := rbac.NewTable(files...)
	if err != nil {
		return nil, fmt.Errorf("operations: %w", err)
	}
	return t, nil
}

// A wireCall is one line of input.
type wireCall struct {
	Service string                    `json:"service"`
	Method  string                    `json:"method"`
	Path    string                    `json:"path"`
	Query   string                    `json:"query"`
	Headers map[string]jsontext.Value `json:"headers"`
	Body    jsontext.Value            `json:"body"`
	Project string                    `json:"project"`
}

// A wireAnswer is one line of output.
type wireAnswer struct {
	Operation string   `json:"operation"`
	Roles     []string `json:"roles"`
	Public    bool     `json:"public"`
	Refused   string   `json:"refused"`
}

func (a *app) judgeCalls(t *rbac.Table, file string) error {
	in := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	} else if f, ok := in.(*os.File); ok && isTerminal(f) {
		a.note("Reading calls from the terminal, one per line, until Ctrl-D. See 'stackgate operation --help'.")
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxCallLine)
	bad := 0
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		answer, ok := judgeLine(t, lines.Bytes())
		if !ok {
			bad++
		}
		if err := a.printLine(answer); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the calls: %w", err)
	}
	if bad > 0 {
		return fmt.Errorf("%d of the lines could not be understood; their answers say why", bad)
	}
	return nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (a *app) printLine(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// judgeLine answers one line; false says that it is no call.
func judgeLine(t *rbac.Table, line []byte) (wireAnswer, bool) {
	var c wireCall
	if err := json.Unmarshal(line, &c); err != nil {
		return nobody("the line is no call: " + err.Error()), false
	}
	service, ok := rbac.ParseService(c.Service)
	if !ok {
		return nobody(fmt.Sprintf("unknown: no role covers the service %q", c.Service)), true
	}
	raw := c.Path
	if c.Query != "" {
		raw += "?" + c.Query
	}
	target, reason := rbac.ParseTarget(service, raw)
	if reason != "" {
		return nobody("malformed: " + reason), true
	}
	header, err := c.header()
	if err != nil {
		return nobody("the line is no call: " + err.Error()), false
	}
	return answerOf(t.Classify(rbac.Request{
		Target: target, Method: c.Method, Header: header, Project: c.Project, Body: c.body(), HasBody: true,
	})), true
}

func nobody(refused string) wireAnswer { return wireAnswer{Roles: []string{}, Refused: refused} }

func (c *wireCall) header() (map[string][]string, error) {
	out := map[string][]string{}
	for name, value := range c.Headers {
		if value.Kind() != '[' {
			value = append(append(jsontext.Value{'['}, value...), ']')
		}
		var values []jsontext.Value
		if err := json.Unmarshal(value, &values); err != nil {
			return nil, fmt.Errorf("header %q: %w", name, err)
		}
		name := textproto.CanonicalMIMEHeaderKey(name)
		for _, v := range values {
			text, err := headerText(v)
			if err != nil {
				return nil, fmt.Errorf("header %q: %w", name, err)
			}
			out[name] = append(out[name], text)
		}
	}
	return out, nil
}

// headerText gives a header's value, which may be written as a number or a truth, too.
func headerText(v jsontext.Value) (text string, err error) {
	switch v.Kind() {
	case '"':
		err = json.Unmarshal(v, &text)
		return text, err
	case '0', 't', 'f':
		return string(v), nil
	case 'n':
		return "", nil
	}
	return "", errors.New("want a text or a list of texts")
}

// body gives the raw text. A value that is no text is taken as the body's own JSON.
func (c *wireCall) body() []byte {
	switch c.Body.Kind() {
	case '"':
		var s string
		if err := json.Unmarshal(c.Body, &s); err == nil {
			return []byte(s)
		}
	case 'n':
		return nil
	}
	return c.Body
}

func answerOf(d rbac.Decision) wireAnswer {
	a := wireAnswer{Roles: []string{}}
	if d.Operation != nil {
		a.Operation = d.Operation.Name()
	}
	if a.Refused = refusedFor(d); a.Refused != "" {
		return a
	}
	needs := d.Operation.Needs()
	if d.Open() {
		needs = rbac.AllRoles
	}
	for r := range needs.All() {
		a.Roles = append(a.Roles, r.String())
	}
	a.Public = d.Open() || d.Operation.Access == rbac.AnyRole && d.Operation.Anonymous
	return a
}

// refusedFor says why nobody may, or nothing.
func refusedFor(d rbac.Decision) string {
	switch {
	case d.Verdict == rbac.Malformed:
		return "malformed: " + d.Reason
	case d.Verdict == rbac.NotTaken:
		return "not taken: " + d.Reason
	case d.Verdict == rbac.AdminOnly:
		return "administrator's field: " + d.Field
	case d.Verdict == rbac.OtherProject:
		return "other project: " + d.Field
	case d.Verdict != rbac.Judged && d.Field != "":
		return "unknown: no rule names the action " + d.Field
	case d.Verdict != rbac.Judged:
		return "unknown: no rule names this call"
	case d.Operation.Access == rbac.Nobody:
		return "administrator's call: no role opens it"
	case d.Dropped:
		_, _, dropped := d.Operation.Conditions()
		names := strings.ReplaceAll(strings.Join(dropped, " "), "=true", "")
		return fmt.Sprintf("administrator's field: %s, which the service ignores for everybody else: the gateway takes it out, and judges and "+
			"forwards the call without it", names)
	}
	return ""
}
