package keyturn

import (
	goflag "flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/keyturn/shared/deployment"
)

var update = goflag.Bool("update", false, "write the table of SECURITY.md anew")

// What is between the marks is made from package deployment.
const (
	tableBegins = "<!-- Made from shared/deployment: go test . -run Security -update -->\n"
	tableEnds   = "<!-- The end of what is made. -->\n"
)

// TestSecurityTellsWhoMayDoWhat keeps the table of SECURITY.md as package deployment
// has it; -update writes it.
func TestSecurityTellsWhoMayDoWhat(t *testing.T) {
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	told, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("SECURITY.md lacks the line %q or %q", tableBegins, tableEnds)
	}
	table := permissionTable()
	if *update {
		if err := os.WriteFile("SECURITY.md", []byte(before+tableBegins+table+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if told != table {
		t.Error("SECURITY.md is not what shared/deployment says: run go test . -run Security -update")
	}
}

// permissionTable says of each account what it may do, by what and why.
func permissionTable() string {
	site := deployment.Site{Project: "PROJECT", Number: "NUMBER", Region: "REGION"}
	var b strings.Builder
	b.WriteString("\n| account | on | by | may | because it | shown |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, g := range site.Granted("serviceAccount:WRITER-OF-THE-LOG-SINK", []string{site.Resource() + "/subscriptions/OF-EACH-FUNCTION"}) {
		for _, p := range g.Permissions {
			shown := "yes"
			if p.Beyond != "" {
				shown = "no: the embedded cloud " + p.Beyond
			}
			why := p.Why
			if p.Job != "" {
				why += " (for the job `" + p.Job + "` alone)"
			}
			if p.Optional {
				why += " (if wanted)"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | `%s` | %s | %s |\n", member(g.Member), short(g.On), short(g.Role), p.Name, why, shown)
		}
	}
	return b.String() + "\n"
}

// member is a member without its kind and the project of all.
func member(who string) string {
	_, email, _ := strings.Cut(who, ":")
	return strings.TrimSuffix(email, "@PROJECT.iam.gserviceaccount.com")
}

// short is a full name without the project of all.
func short(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "projects/PROJECT/"), "locations/REGION/")
	if name == "projects/PROJECT" {
		return "the project"
	}
	return strings.TrimSuffix(name, "@PROJECT.iam.gserviceaccount.com")
}
