package notify

import (
	"cmp"
	"encoding/json"
	"strings"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/lazyregexp"
)

// command finds the first command of keyturn's in what comes next, and its arguments
// as far as they are whole words.
var command = lazyregexp.New(`\bkeyturn (revoke|rotate|rollback|status|alerts list|alerts show)\b((?: [A-Za-z0-9:./_-]*[A-Za-z0-9_-])*)(?:$|[\s,;:.)]|'(?:\W|$))`)

// Call is how gcloud, for people who have nothing else at hand, asks keyturn's
// function for the same as the first command in what comes next of a notice. region
// is the functions'; "" leaves $REGION in its place. It is empty where the function
// cannot do the same: revoke without --key looks up by itself which key is in use, and
// takes more than one call.
func Call(n alerting.Notice, region string) string {
	m := command.FindStringSubmatch(n.Next)
	if m == nil {
		return ""
	}
	args := strings.Fields(m[2])
	switch {
	case m[1] == "alerts list":
		return call("keyturn-alert-http", "", region, `{"command":"list"}`)
	case m[1] == "alerts show" && len(args) > 0 && IsIncident(args[0]):
		return call("keyturn-alert-http", "", region, `{"command":"show","incident":"`+args[0]+`"}`)
	}
	c, ok := parse(m[1], args, n.Credential)
	if !ok || c.Validate() != nil { // what is valid holds nothing that a shell or JSON would read
		return ""
	}
	data, _ := json.Marshal(c) // of texts and a flag, which never fails
	return call("keyturn-rotate-http", strings.Split(c.Secret, "/")[1], region, string(data))
}

func call(function, project, region, data string) string {
	c := "gcloud functions call " + function + " --gen2"
	if project != "" {
		c += " --project=" + project
	}
	return c + " --region=" + cmp.Or(region, `"$REGION"`) + " --data='" + data + "'"
}

// parse reads the arguments of a command up to the first word that is none. A
// secret that is not named in full is the notice's own or unknown.
func parse(verb string, args []string, credential string) (event.Command, bool) {
	c := event.Command{Verb: event.Verb(verb)}
	if len(args) == 0 {
		return c, false
	}
	c.Secret = args[0]
	if !strings.Contains(c.Secret, "/") {
		if !strings.HasSuffix(credential, "/secrets/"+c.Secret) {
			return c, false
		}
		c.Secret = credential
	}
	for args = args[1:]; len(args) > 0; args = args[1:] {
		switch {
		case args[0] == "--key" && len(args) > 1:
			c.Key, args = args[1], args[1:]
		case args[0] == "--kill-tokens":
			c.KillTokens = true
		default:
			return c, true
		}
	}
	return c, true
}
