package posture

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/inventory"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/posture.md anew")

// TestTheDocsExplainEveryCheck. After a change: go test ./shared/posture -run Docs
// -update, and read what changed.
func TestTheDocsExplainEveryCheck(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "posture.md")
	want := page()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/posture.md (-want +got):\n%s", diff)
	}
}

// page is docs/posture.md.
func page() string {
	var b strings.Builder
	b.WriteString(introduction)
	b.WriteString("| check | CIS 1.2 to 4.0 | CIS 5.0 | severity | what ought to be |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range Checks() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", c.ID, strings.ReplaceAll(c.ID, ".", ""), c.CIS, c.CIS5, c.Severity, c.Title)
	}
	b.WriteString("\n## The checks\n\n")
	for _, c := range Checks() {
		fmt.Fprintf(&b, "### %s\n\n%s. %s\n\nHow it is decided: %s\n\nWhat to do: %s\n\nWhat it cannot know: %s\n\n", c.ID, c.Title, c.Why, c.How, c.Fix, c.Blind)
	}
	b.WriteString(exempting)
	b.WriteString("## Permissions\n\n" + permissionsIntro + "| part | permission | method |\n| --- | --- | --- |\n")
	for _, part := range slices.Sorted(maps.Keys(Permissions())) {
		if part != inventory.Folders && part != inventory.Projects {
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", part, accesses[part].permission, accesses[part].method)
		}
	}
	return b.String()
}

const introduction = `# Posture: how credentials are kept

` + "`keyturn posture`" + ` reads the project's service accounts, keys, API keys, secrets, allow
policies and effective organisation policies, and judges them by the checks below. The
audit function does the same once a day (job keyturn-posture in scheduler.yaml), and
publishes what newly fails as findings, whose detectors are ` + "`posture-`" + ` and the check's
name: each failure is told once for as long as it lasts, not each day.
` + "`AuditHTTP`" + ` answers ` + "`{\"command\":\"posture\"}`" + ` with the report, and publishes nothing.

A check comes, for each resource that it looks at, to

- pass, or fail, with the evidence: which resource, by which method of Google's API,
  what it showed, and when;
- unknown, where something could not be read, with the reason and the permission that
  it takes. Unknown is never pass: a check is unknown if any of its results is and none
  fails.

Exit code: 0 everything passes, 2 something fails, 1 nothing fails and something is
unknown, or the command could not be carried out.

What failed is kept in a file (` + "`--state`" + `, or one for the project in the cache directory;
` + "`--state -`" + ` keeps nothing), so that the next report tells what is new, what still fails
and since when, and what was fixed. What another world left, such as a local one, or one
whose clock was ahead, is not compared with. What cannot be read the next time is not taken for
fixed. The function keeps the same in its store (KEYTURN_STATE).

| form | what it is | checked against |
| --- | --- | --- |
| ` + "`--format text`" + ` | failures first, then what is unknown, a table of all checks | 80 columns on a terminal, commands excepted |
| ` + "`--format json`, `--json`" + ` | [json.md](json.md) describes it | its own description |
| ` + "`--format sarif`" + ` | SARIF 2.1.0: unknown is kind open; results are of cloud resources and have logical locations only, so GitHub code scanning, which wants files, takes none | OASIS's schema, errata 01 |
| ` + "`--format ocsf`" + ` | an array of OCSF 1.3.0 Compliance Findings (class 2003): unknown is status Warning | the attributes that the schema requires and the values that it numbers; not the whole schema, which could not be had offline |
| ` + "`--format csv`" + ` | a line for each result; no cell is a formula | RFC 4180, and OWASP's list of what spreadsheets take for formulas |

Only what the project itself grants is seen, not what its folders and its organisation
grant, nor who is in a group. A list of Google's may be minutes old: a key that was made
just now is judged by the next report.

The numbers of the benchmark are those of the CIS Google Cloud Platform Foundation
Benchmark, versions 1.2 to 4.0. Version 5.0 moved each by one.

`

const exempting = `## What to do about a failure

The command that is printed changes what failed and nothing else. What is in CAPITALS in
it is to be filled in. No command deletes or disables a key that keyturn rotates: such a
key is rotated, or its credential is released first; one that was superseded keyturn
takes away by itself. Keys that somebody may be using are not taken away either:
` + "`keyturn inventory --adopt-plan`" + ` says how they come under rotation.

keyturn makes service-account keys by uploading them or by having them created
(keyMode), so enforcing org-policy-key-upload and org-policy-key-creation both stops
every rotation. A policy by which keyturn makes keys of the project has no command: the
result says what it would stop. To enforce it for all others, exempt the accounts of
keyturn's credentials by a tag:

` + "```sh" + `
gcloud resource-manager tags keys create keyturn --parent=organizations/ORGANIZATION
gcloud resource-manager tags values create rotates --parent=ORGANIZATION/keyturn
gcloud resource-manager tags bindings create --tag-value=ORGANIZATION/keyturn/rotates \
  --parent=//iam.googleapis.com/projects/PROJECT_NUMBER/serviceAccounts/UNIQUE_ID
gcloud org-policies set-policy policy.yaml
` + "```" + `

where policy.yaml is, of the constraint that is to be enforced,

` + "```yaml" + `
name: projects/PROJECT_ID/policies/iam.disableServiceAccountKeyUpload
spec:
  rules:
    - condition:
        expression: resource.matchTag('ORGANIZATION/keyturn', 'rotates')
      enforce: false
    - enforce: true
` + "```" + `

Such a policy is enforced with exceptions, which posture takes for enforced.

`

const permissionsIntro = `Whoever runs the command, and the service account of the audit function, needs these on
the project; without one, the checks that need it are unknown. The organisation policy
ones come with roles/orgpolicy.policyViewer. The function's role keyturnAudit has them all
([shared/deployment](../shared/deployment)), and ` + "`keyturn doctor`" + ` misses them where the job is
scheduled. None of them reads a secret's payload.

`
