package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestValuesOfFlagsAreCompleted asks as a shell does.
func TestValuesOfFlagsAreCompleted(t *testing.T) {
	for line, want := range map[string]string{
		"exec --as ":      "application-credential password token",
		"openrc --as ":    "oidc password application-credential",
		"token --format ": "value json openrc header",
		"policy create --right ": "administrator aiTrainingOperator aiTrainingRead backupOperator computeOperator imageOperator infrastructureSupervisor " +
			"networkOperator networkSecurityOperator objectstoreOperator volumeOperator",
		"policy-files nova --release ":   "zed 2026.1",
		"operation list --service ":      "compute block-storage image network object-store ai-training",
		"service-account list --output ": "table json",
		"dev --log-level ":               "debug info warn error",
		"keystone print ":                "apache keystone.conf mapping",
	} {
		words := strings.Split(line, " ")
		var out bytes.Buffer
		if code := Main(append([]string{"__complete"}, words...), strings.NewReader(""), &out, &bytes.Buffer{}); code != 0 {
			t.Errorf("%q: exit code %d", line, code)
		}
		got, _, _ := strings.Cut(out.String(), ":") // then come directives for the shell
		if strings.Join(strings.Fields(got), " ") != want {
			t.Errorf("%q is completed by %q, not %q", line, strings.Fields(got), want)
		}
	}
}
