package terraform

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
)

var update = flag.Bool("update", false, "write deployment.json")

// contents is deployment.json. Its texts may hold the variables of Site.Expand, which
// templatefile fills in.
type contents struct {
	APIs        []string     `json:"apis"`
	Agents      []string     `json:"agents"` // APIs whose own accounts are granted something
	Accounts    []account    `json:"accounts"`
	Roles       []role       `json:"roles"`
	Grants      []grant      `json:"grants"`
	Topics      []topic      `json:"topics"`
	DeadLetters deadLetters  `json:"dead_letters"`
	Seals       []string     `json:"seals"`
	Sink        sink         `json:"sink"`
	AuditLogs   []auditLog   `json:"audit_logs"`
	Collections []collection `json:"collections"`
}

type account struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

type role struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Permissions []string `json:"permissions"`
}

type grant struct {
	Member string `json:"member"`
	Role   string `json:"role"`
	On     string `json:"on"`
}

type topic struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

type deadLetters struct {
	Topic        string `json:"topic"`
	Subscription string `json:"subscription"`
}

type sink struct {
	Name   string `json:"name"`
	Topic  string `json:"topic"`
	Filter string `json:"filter"`
}

type auditLog struct {
	Service string   `json:"service"`
	Types   []string `json:"types"`
}

type collection struct {
	ID        string `json:"id"`
	Expires   string `json:"expires"`
	Unindexed string `json:"unindexed"`
}

// wanted is what shared/deployment says.
func wanted() contents {
	c := contents{
		Seals: deployment.Seals, DeadLetters: deadLetters{event.TopicDead, deployment.DeadLetters},
		Sink: sink{deployment.SinkName, deployment.LogTopic, gcp.AuditFilter},
	}
	for _, a := range deployment.APIs {
		c.APIs = append(c.APIs, a.Name)
	}
	for _, a := range deployment.Accounts {
		c.Accounts = append(c.Accounts, account{a.ID, a.Why})
	}
	for _, r := range deployment.Roles {
		one := role{ID: r.ID, Title: r.Title}
		for _, p := range r.Permissions {
			one.Permissions = append(one.Permissions, p.Name)
		}
		c.Roles = append(c.Roles, one)
	}
	for _, g := range deployment.Grants {
		c.Grants = append(c.Grants, grant{g.Member, g.Role, g.On})
		if agent := agentOf(g.Member); agent != "" && !slices.Contains(c.Agents, agent) {
			c.Agents = append(c.Agents, agent)
		}
	}
	for _, t := range deployment.Topics {
		c.Topics = append(c.Topics, topic{t.ID, t.Why})
	}
	for _, l := range deployment.AuditLogs {
		c.AuditLogs = append(c.AuditLogs, auditLog{l.Service, l.Types})
	}
	for _, l := range deployment.Collections {
		c.Collections = append(c.Collections, collection(l))
	}
	return c
}

// agentOf is the API whose own account a member is: of
// service-NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com pubsub.googleapis.com.
func agentOf(member string) string {
	_, after, found := strings.Cut(member, "@gcp-sa-")
	name, _, _ := strings.Cut(after, ".")
	if !found {
		return ""
	}
	return name + ".googleapis.com"
}

// TestDeploymentIsCurrent wants deployment.json to be what shared/deployment says;
// -update writes it.
func TestDeploymentIsCurrent(t *testing.T) {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(wanted()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("deployment.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("deployment.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want.Bytes()) {
		t.Error("deployment.json is not what shared/deployment says: run go test ./deploy/terraform -update")
	}
}
