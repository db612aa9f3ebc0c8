package condition

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func number(string) string { return "42" }

func TestWhatResourcesAre(t *testing.T) {
	for name, want := range map[string]Resource{
		"projects/acme/secrets/s":            {"projects/42/secrets/s", "secretmanager.googleapis.com/Secret", "secretmanager.googleapis.com"},
		"projects/acme/secrets/s/versions/3": {"projects/42/secrets/s/versions/3", "secretmanager.googleapis.com/SecretVersion", "secretmanager.googleapis.com"},
		"projects/acme":                      {"projects/42", "cloudresourcemanager.googleapis.com/Project", "cloudresourcemanager.googleapis.com"},
		"projects/acme/topics/t":             {},
		"projects/acme/secrets":              {},
		"folders/7/secrets/x":                {},
		"x":                                  {},
	} {
		if got := Of(name, number); got != want {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

func TestConditionsHold(t *testing.T) {
	noon := time.Date(2030, 1, 7, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		expression, resource string
		want                 bool
	}{
		{`true`, "projects/acme", true},
		{`resource.name.startsWith("projects/42/secrets/app-")`, "projects/acme/secrets/app-key", true},
		{`resource.name.startsWith("projects/acme/secrets/app-")`, "projects/acme/secrets/app-key", false}, // it goes by the number
		{`!resource.name.startsWith("projects/42/secrets/keyturn-")`, "projects/acme/secrets/keyturn-seal", false},
		{`!resource.name.startsWith("projects/42/secrets/keyturn-")`, "projects/acme/serviceAccounts/7", true},
		{`resource.type == "secretmanager.googleapis.com/SecretVersion" && resource.service == "secretmanager.googleapis.com"`, "projects/acme/secrets/s/versions/1", true},
		{`resource.name.extract("/secrets/{id}/") == "s"`, "projects/acme/secrets/s/versions/1", true},
		{`resource.name.extract("/secrets/{id}") == "s"`, "projects/acme/secrets/s", true},
		{`resource.name.extract("/secrets/{id}/") == ""`, "projects/acme/secrets/s", true},
		{`resource.name.extract("/topics/{id}") == ""`, "projects/acme/secrets/s", true},
		{`resource.name.extract("/secrets/") == ""`, "projects/acme/secrets/s", true},
		{`request.time < timestamp("2030-01-07T12:00:01Z")`, "projects/acme", true},
		{`request.time < timestamp("2030-01-07T12:00:00Z")`, "projects/acme", false},
		{`request.time.getDayOfWeek("Europe/Berlin") == 1 && request.time.getHours("Europe/Berlin") == 13`, "projects/acme", true},
		{`1 / int(resource.name.size() - resource.name.size()) == 1`, "projects/acme", false}, // cannot be evaluated
	} {
		compiled, err := Compile(&expr.Expr{Title: "t", Expression: c.expression})
		if err != nil {
			t.Fatal(err)
		}
		if got := compiled.Holds(Of(c.resource, number), noon); got != c.want {
			t.Errorf("%s of %s: %v", c.expression, c.resource, got)
		}
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		title, expression, want string
	}{
		{"", "true", "Condition title is required."},
		{"t", "", "Condition expression is required."},
		{"t", "resource.name ==", "Invalid condition expression: ERROR: <input>:1:17: Syntax error"},
		{"t", `resource.owner == "me"`, "undeclared reference to 'resource.owner'"},
		{"t", `request.time == "now"`, "found no matching overload"},
		{"t", "resource.name", "it must be a bool, and is a string"},
	} {
		_, err := Compile(&expr.Expr{Title: c.title, Expression: c.expression})
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is answered %v", c.expression, err)
		}
	}
}
