package keyturn

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/functions/audit"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
)

// TestDoorsAreDescribedAsTheyAre reads docs/doors.md as whoever calls the functions
// does: what it says to send is taken, and what it says of settings holds.
func TestDoorsAreDescribedAsTheyAre(t *testing.T) {
	text, err := os.ReadFile("docs/doors.md")
	must(t, err)
	doc := string(text)
	actions := slices.Concat(rotate.Actions(), audit.Actions(), alert.Actions())
	list := regexp.MustCompile(`(?m)^    KEYTURN_CALLERS=(.+)$`).FindStringSubmatch(doc)
	callers, err := door.ParseCallers(list[1], actions)
	if err != nil || len(callers) != 2 {
		t.Errorf("the example of KEYTURN_CALLERS: %v, %v", callers, err)
	}
	for function, verbs := range map[string][]string{"RotateHTTP": rotate.Actions(), "AuditHTTP": audit.Actions(), "AlertHTTP": alert.Actions()} {
		if row := "| `" + function + "` | `" + strings.Join(verbs, "`, `") + "` |"; !strings.Contains(doc, row) {
			t.Errorf("docs/doors.md lacks the row %s", row)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)(?:--data=|-d )'(.+?)'`).FindAllStringSubmatch(doc, -1) {
		var c struct{ Command string }
		if err := json.Unmarshal([]byte(m[1]), &c); err != nil || !slices.Contains(actions, c.Command) {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	for _, name := range []string{"KEYTURN_CALLERS", "KEYTURN_AUDIENCES", deployment.CheckedBy} {
		if !strings.Contains(doc, "| `"+name+"` |") {
			t.Errorf("%s is not explained", name)
		}
	}
	for _, want := range []string{`{"error":"not allowed; the function's log says why"}`, "`" + gcp.CheckedByCloudRun + "`", "(30 seconds of skew)"} {
		if !strings.Contains(doc, want) {
			t.Errorf("docs/doors.md does not say %s", want)
		}
	}
	for _, f := range deployment.Functions {
		if f.Topic == "" && !strings.Contains(doc, "`"+f.Name+"`") {
			t.Errorf("%s is not named", f.Name)
		}
	}
}
