package rule

import (
	"strings"
	"testing"

	"example.com/keyturn/shared/yamlfile/yamltest"
)

const (
	andSoOn = "; the fields are "
	nested  = "permissions.exists(a, permissions.exists(b, permissions.exists(c, a + b == c)))"
)

// problems are files with the position and the beginning of each of their problems.
var problems = []struct {
	name, file string
	want       []string
}{
	{"empty", "", []string{"r.yaml: the file is empty"}},
	{"comments alone", "# nothing\n", []string{"r.yaml: the file is empty"}},
	{"no YAML", "rules: [", []string{"r.yaml:1:8: sequence end token"}},
	{"two documents", "rules: []\n---\nrules: []\n", []string{"r.yaml: 2 YAML documents"}},
	{"a list", "- name: a\n", []string{"r.yaml:1:1: "}},
	{"a text", "hello", []string{"r.yaml:1:1: "}},
	{"binary", "\x00\x01\xff\xfe", []string{"r.yaml:1:1: "}},
	{"no rules", "rules: []\n", []string{"r.yaml:1:6: no rules"}},
	{"rules are no list", "rules: 5\n", []string{"r.yaml:1:8: rules: want a list"}},
	{"a rule is no mapping", "rules:\n- 5\n", []string{"r.yaml:2:3: "}},
	{"another field beside", "rules: []\nrule: []\n", []string{`r.yaml:2:1: unknown field "rule"; did you mean rules?`}},
	{"unknown field, and more", rules("name: a", "wehn: denied", "window: 5"), []string{
		`r.yaml:2:3: rule "a" has no condition`, `r.yaml:3:3: unknown field "wehn"; did you mean when?`, "r.yaml:4:11: window"}},
	{"field twice", rules("name: a", "name: b", "when: denied"), []string{`r.yaml:3:3: mapping key "name" already defined`}},
	{"no name", rules("when: denied"), []string{"r.yaml:2:3: the rule has no name"}},
	{"bad name", rules("name: My Rule", "when: denied"), []string{`r.yaml:2:9: name "My Rule"`}},
	{"null name", rules("name:", "when: denied"), []string{"r.yaml:2:3: the rule has no name"}},
	{"long name", rules("name: "+strings.Repeat("a", 65), "when: denied"), []string{"r.yaml:2:9: name"}},
	{"a detector's name", rules("name: token-minting", "when: denied"), []string{"r.yaml:2:9: \"token-minting\" is the name of a built-in"}},
	{"name twice", "rules:\n- {name: a, when: denied}\n- {name: a, when: denied}\n", []string{`r.yaml:3:10: a rule named "a" is on line 2`}},
	{"no condition", rules("name: a"), []string{`r.yaml:2:3: rule "a" has no condition`}},
	{"empty condition", rules("name: a", "when: ''"), []string{`r.yaml:3:9: rule "a" has no condition`}},
	{"condition of a list", rules("name: a", "when: [denied]"), []string{"r.yaml:3:9: want one value, not a list"}},
	{"severity", rules("name: a", "when: denied", "severity: urgent"), []string{`r.yaml:4:13: severity "urgent" is none of`}},
	{"window no duration", rules("name: a", "when: denied", "window: week"), []string{`r.yaml:4:11: window "week"`}},
	{"window zero", rules("name: a", "when: denied", "window: 0s"), []string{"r.yaml:4:11: window 0s: want from"}},
	{"window negative", rules("name: a", "when: denied", "window: -1h"), []string{"r.yaml:4:11: window -1h: want from"}},
	{"window too long", rules("name: a", "when: denied", "window: 673h"), []string{"r.yaml:4:11: window 673h: want from"}},
	{"threshold", rules("name: a", "when: denied", "threshold: 0"), []string{`r.yaml:4:14: threshold "0"`}},
	{"threshold of words", rules("name: a", "when: denied", "threshold: many"), []string{`r.yaml:4:14: threshold "many"`}},
	{"threshold of halves", rules("name: a", "when: denied", "threshold: 1.5"), []string{`r.yaml:4:14: threshold "1.5"`}},
	{"threshold beyond", rules("name: a", "when: denied", "threshold: 513"), []string{`r.yaml:4:14: threshold "513"`}},
	{"group", rules("name: a", "when: denied", "group_by: caller"), []string{`r.yaml:4:13: group_by: there is no field "caller"; did you mean caller_ip?` + andSoOn}},
	{"groups", rules("name: a", "when: denied", "group_by: [caller_ip, '', x]"), []string{
		`r.yaml:4:25: group_by: there is no field ""`, `r.yaml:4:29: group_by: there is no field "x"`}},
	{"group of groups", rules("name: a", "when: denied", "group_by: [[caller_ip]]"), []string{"r.yaml:4:14: want one value, not a list"}},
	{"distinct", rules("name: a", "when: denied", "distinct: targets"), []string{`r.yaml:4:13: distinct: there is no field "targets"`}},
	{"distinct fields", rules("name: a", "when: denied", "distinct: [method]"), []string{"r.yaml:4:13: want one field, not a list"}},
	{"distinct of nothing", rules("name: a", "when: denied", "distinct: {method: 1}"), []string{"r.yaml:4:13: want one value, not a mapping"}},
	{"a tag", rules("name: a", "when: !denied"), []string{"r.yaml:3:9: quote it: ! begins a YAML tag; as in when: '!denied'"}},
	{"a tag, and more", rules("name: a", "when: !denied", "threshold: 2"), []string{"r.yaml:3:9: quote it"}},
	{"a tag, and another rule", rules("name: a", "when: !denied") + "- {name: b, when: denied}\n", []string{"r.yaml:3:9: quote it"}},
	{"a tag and an anchor", rules("name: a", "when: !denied && code == 3"), []string{"r.yaml:3:9: quote it"}},
	{"a tag in braces", "rules:\n- {name: ü, when: !denied}\n", []string{"r.yaml:2:19: quote it"}},
	{"a tag elsewhere", rules("name: !a", "when: denied"), []string{"r.yaml:2:9: quote it"}},
	{"a colon", rules("name: a", `when: user_agent == "a: b"`), []string{`r.yaml:3:9: quote the whole: a colon with a space after it begins a YAML mapping; as in when: 'user_agent == "a: b"'`}},
	{"a colon elsewhere", rules("name: a", "when: denied", `rationale: a: b`), []string{"r.yaml:4:14: quote the whole"}},
	{"technique", rules("name: a", "when: denied", "technique: phishing"), []string{`r.yaml:4:14: technique "phishing"`}},
	{"not bool", rules("name: a", "when: method"), []string{"r.yaml:3:9: the expression gives string, not bool"}},
	{"perhaps bool", rules("name: a", "when: dyn(denied)"), []string{"r.yaml:3:9: the expression gives dyn, not bool"}},
	{"too costly", rules("name: a", "when: "+nested), []string{"r.yaml:3:9: the expression may take "}},
	{"regular expression", rules("name: a", "when: method.matches('(')"), []string{"r.yaml:3:24: invalid matches argument"}},
	{"time", rules("name: a", "when: time > timestamp('yesterday')"), []string{"r.yaml:3:26: invalid timestamp argument"}},
	{"too long", rules("name: a", "when: denied"+strings.Repeat(" && denied", 2000)), []string{"r.yaml:3:9: expression code point size exceeds limit"}},
	{"several rules", "rules:\n- {name: a, when: nosuch}\n- {name: b, when: denied}\n- {name: c, when: code}\n", []string{
		"r.yaml:2:19: undeclared reference to 'nosuch'", "r.yaml:4:19: the expression gives int"}},
	{"field of Google's", rules("name: a", "when: methodName == 'x'"), []string{"r.yaml:3:9: undeclared reference to 'methodName'; did you mean method?" + andSoOn}},
	{"misspelt field", rules("name: a", "when: denied && callerip != ''"), []string{"r.yaml:3:19: undeclared reference to 'callerip' (did you mean 'caller_ip'?)" + andSoOn}},
	{"misspelt function", rules("name: a", "when: method.endWith('x')"), []string{"r.yaml:3:23: undeclared reference to 'endWith' (did you mean 'endsWith'?)" + andSoOn}},
	{"misspelt macro", rules("name: a", "when: permissions.exist(p, p == 'x')"), []string{
		"r.yaml:3:26: undeclared reference to 'exist' (did you mean 'exists'?)", "r.yaml:3:27: undeclared reference to 'p'", "r.yaml:3:30: undeclared reference to 'p'"}},
	{"constant that is none", rules("name: a", "when: int('x') == code"), []string{"r.yaml:3:9: type conversion error"}},
	{"field like none", rules("name: a", "when: denied && zzz"), []string{"r.yaml:3:19: undeclared reference to 'zzz'" + andSoOn}},
	{"key like none", rules("name: a", "when: denied", "colour: red"), []string{`r.yaml:4:3: unknown field "colour"`}},
	{"window of too many days", rules("name: a", "when: denied", "window: 29d"), []string{"r.yaml:4:11: window 29d: want from 1s to 28d"}},
	{"window of half a day", rules("name: a", "when: denied", "window: 0.5d"), []string{`r.yaml:4:11: window "0.5d": want a duration such as 10m, 24h or 7d`}},
}

func TestProblemsAreTold(t *testing.T) {
	for _, tt := range problems {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("r.yaml", []byte(tt.file))
			if err == nil || s != nil {
				t.Fatalf("no error, or a set: %v", s)
			}
			yamltest.Told(t, err, tt.want)
		})
	}
}
