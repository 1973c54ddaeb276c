package rbac

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzRespelling takes a call of the table and writes it in another way. Whatever becomes of it, nobody may do by the new spelling what
// he may not do by the one in which the most lenient of servers would read it.
func FuzzRespelling(f *testing.F) {
	tab := table(f)
	calls := tab.Operations()
	for i := range calls {
		f.Add(uint16(i), []byte{byte(i), byte(i >> 3), 0, 40, byte(i), 1}, []byte{})
	}
	for _, query := range []string{"?_method=DELETE", "?a=1;_method=PUT", "?%5fmethod=PUT&a=_method"} {
		f.Add(uint16(7), []byte{}, []byte(query))
	}
	f.Fuzz(func(t *testing.T, which uint16, edits, tail []byte) {
		if wrong := opened(tab, calls[int(which)%len(calls)], edits, tail); wrong != "" {
			t.Fatal(wrong)
		}
	})
}

// The same with every call each time, for those who do not fuzz.
func TestNoSpellingOpensWhatItsCanonicalFormDoesNot(t *testing.T) {
	tab := table(t)
	rapid.Check(t, func(rt *rapid.T) {
		edits := rapid.SliceOfN(rapid.Byte(), 3, 9).Draw(rt, "edits")
		for _, op := range tab.Operations() {
			if wrong := opened(tab, op, edits, nil); wrong != "" {
				rt.Fatal(wrong)
			}
		}
	})
}

// opened says what is wrong if the call, written in another way, is open to somebody whom its lenient reading is not open to.
func opened(tab *Table, op *Operation, edits, tail []byte) string {
	query, header, body := callOf(op)
	fill := strings.NewReplacer("{project}", own, "{object...}", "a/b", "{path...}", "a/b", "{", "x-", "}", "")
	raw, body := respell(fill.Replace(op.Prefixes[0]+op.Path)+query, body, edits)
	raw += string(tail)
	roles := granted(tab, op, op.Method, raw, body, header)
	if roles == 0 {
		return ""
	}
	method, lenient, lenientBody := leniently(op.Service, op.Method, raw, body)
	if want := granted(tab, op, method, lenient, lenientBody, header); roles&^want != 0 {
		return fmt.Sprintf("%s %s %s is open to %b, and as %s %s %s to %b", op.Method, raw, body, roles, method, lenient, lenientBody, want)
	}
	return ""
}

// granted gives the roles that may send a request, all of them if it needs none.
func granted(tab *Table, op *Operation, method, raw, body string, header []string) Roles {
	target, reason := ParseTarget(op.Service, raw)
	if reason != "" {
		return 0
	}
	h := map[string][]string{}
	for i := 0; i+1 < len(header); i += 2 {
		h[header[i]] = append(h[header[i]], header[i+1])
	}
	d := tab.Classify(Request{Target: target, Method: method, Header: h, Project: own, Body: []byte(body), HasBody: true})
	if d.Open() {
		return AllRoles
	}
	if d.Verdict != Judged {
		return 0
	}
	return d.Operation.Needs()
}

// respell changes the request at the places that edits name, in the ways it names: three bytes are one edit.
func respell(raw, body string, edits []byte) (string, string) {
	pieces := []string{"/", "//", "/.", "/..", "%2F", "%2e", "%5C", ".json", ".xml", ";", ";a=b", "?", "&", "=", "_", "-", "%00", "%25", "#", "\\", "A", "%41", "%C3%A9", "\xff",
		"?_method=DELETE", "&all_tenants=1", " ", "+", "{", "}", `"`, ",", `"a":1,`, `\u0061`, "[", "]", ":", "null", own, "1e1e"}
	for ; len(edits) >= 3; edits = edits[3:] {
		where, how, piece := int(edits[0]), edits[1], pieces[int(edits[2])%len(pieces)]
		s := &raw
		if how&4 != 0 {
			s = &body
		}
		if *s == "" {
			continue
		}
		i := where % len(*s)
		switch how % 4 {
		case 0:
			*s = (*s)[:i] + piece + (*s)[i:]
		case 1:
			*s = (*s)[:i] + (*s)[i+1:]
		case 2:
			*s = (*s)[:i] + "%" + string("0123456789ABCDEF"[(*s)[i]>>4]) + string("0123456789ABCDEF"[(*s)[i]&15]) + (*s)[i+1:]
		case 3:
			*s = (*s)[:i] + strings.ToUpper((*s)[i:i+1]) + (*s)[i+1:]
		}
	}
	return raw, body
}

// formats are names that end in a format and mean it.
var formats = []string{"details.json", "openapi.json", "swagger.json"}

// leniently reads a request as a server would that decodes, tidies and forgives everything: the method of the query, the last of two
// members, the path without format, parameters, dots and doubled slashes.
func leniently(s Service, method, raw, body string) (string, string, string) {
	target, query, _ := strings.Cut(raw, "?")
	if s != ObjectStore {
		for decoded, err := url.PathUnescape(target); err == nil && decoded != target; decoded, err = url.PathUnescape(target) {
			target = decoded
		}
		var segs []string
		for seg := range strings.SplitSeq(path.Clean("/"+target), "/") {
			seg, _, _ = strings.Cut(seg, ";")
			segs = append(segs, seg)
		}
		last := &segs[len(segs)-1]
		if !slices.Contains(formats, *last) {
			*last = strings.TrimSuffix(strings.TrimSuffix(*last, ".xml"), ".json")
		}
		if literal := strings.ReplaceAll(strings.ToLower(*last), "_", "-"); !strings.Contains(*last, "_") {
			*last = literal
		}
		target = (&url.URL{Path: strings.Join(segs, "/")}).EscapedPath()
	}
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		if name, err := url.QueryUnescape(pair); err == nil && strings.HasPrefix(strings.ToLower(name), "_method=") {
			method = strings.ToUpper(name[len("_method="):])
		}
	}
	var v any
	if json.Unmarshal([]byte(body), &v) == nil {
		if b, err := json.Marshal(v); err == nil {
			body = string(b)
		}
	}
	if query != "" {
		target += "?" + query
	}
	return method, target, body
}

// What a body of the greatest length can make us remember is bounded, whatever is in it.
func TestBodiesTakeBoundedMemory(t *testing.T) {
	tab := table(t)
	const limit = 1 << 20
	names := func(format func(i int) string) string {
		var b strings.Builder
		b.WriteString(`{"server":{`)
		for i := 0; b.Len() < limit-64; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(format(i))
		}
		return b.String() + "}}"
	}
	digits := func(i int) string {
		return string([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26), byte('a' + i/17576%26)})
	}
	for name, body := range map[string]string{
		"one long text":    `{"server":{"name":"` + strings.Repeat("x", limit-64) + `"}}`,
		"one long name":    `{"server":{"` + strings.Repeat("x", limit-64) + `":1}}`,
		"one long number":  `{"server":{"a":` + strings.Repeat("1", limit-64) + `}}`,
		"escapes":          `{"server":{"name":"` + strings.Repeat(`\u0061`, limit/6-16) + `"}}`,
		"many members":     names(func(i int) string { return `"` + digits(i) + `":1` }),
		"many lists":       names(func(i int) string { return `"` + digits(i) + `":[[[]]]` }),
		"a deep nest":      strings.Repeat("[", limit),
		"a deeper nest":    strings.Repeat(`{"a":`, limit/5),
		"nothing at all":   strings.Repeat(" ", limit),
		"what is no JSON":  strings.Repeat("\x00", limit),
		"many small lists": `{"server":[` + strings.TrimSuffix(strings.Repeat("[],", limit/3-16), ",") + `]}`,
	} {
		req := Request{Target: target(t, Compute, "/v2.1/servers"), Method: "POST", Project: own, Body: []byte(body), HasBody: true}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := tab.Classify(req)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 6*limit {
			t.Errorf("%s: verdict %d after %d bytes of memory", name, d.Verdict, used)
		}
	}
}

func TestLenientReadings(t *testing.T) {
	for raw, want := range map[string]string{"/v2.1//servers/%2e%2e/Servers.json/?x": "/v2.1/servers?x", "/v2.1/servers;a=b/1": "/v2.1/servers/1"} {
		if _, got, _ := leniently(Compute, "GET", raw, ""); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	if method, _, body := leniently(Compute, "GET", "/x?a=1;%5Fmethod=delete", `{"a":1,"a":2}`); method != "DELETE" || body != `{"a":2}` {
		t.Errorf("%s %s", method, body)
	}
}
