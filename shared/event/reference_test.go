package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
)

// node is a JSON value as encoding/json reads it into any. What of it is of
// another type than is asked for is empty. Keys match exactly, as they do in a
// map; in a struct, encoding/json would match them whatever their case.
type node struct{ value any }

func (n node) at(keys ...string) node {
	for _, key := range keys {
		object, _ := n.value.(map[string]any)
		n = node{object[key]}
	}
	return n
}

func (n node) text(keys ...string) string {
	s, _ := n.at(keys...).value.(string)
	return s
}

func (n node) all(keys ...string) []node {
	var nodes []node
	values, _ := n.at(keys...).value.([]any)
	for _, v := range values {
		nodes = append(nodes, node{v})
	}
	return nodes
}

// first is the first text that is not empty.
func first[T any](values []T, text func(T) string) string {
	for _, v := range values {
		if s := text(v); s != "" {
			return s
		}
	}
	return ""
}

// referenceDecode is what a Decoder must do, written for nothing but to be
// plain, on top of encoding/json.
func referenceDecode(data []byte) (detect.Entry, error) {
	var n node
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&n.value); err != nil {
		return detect.Entry{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return detect.Entry{}, errors.New("something follows the value")
	}
	if _, ok := n.value.(map[string]any); !ok {
		return detect.Entry{}, errNoObject
	}
	e := detect.Entry{LogName: n.text("logName"), InsertID: n.text("insertId"), Time: referenceTime(n), Project: n.text("resource", "labels", "project_id")}
	if name, ok := strings.CutPrefix(e.LogName, "projects/"); ok && e.Project == "" {
		e.Project = strings.Split(name, "/")[0]
	}
	p := n.at("protoPayload")
	kind := p.text("@type")
	_, there := p.value.(map[string]any)
	lost := kind == "" && strings.Contains(e.LogName, "/logs/cloudaudit.googleapis.com")
	if e.Audit = there && (lost || kind == "type.googleapis.com/google.cloud.audit.AuditLog"); e.Audit {
		e.Account = n.text("resource", "labels", "email_id")
		referencePayload(p, &e)
	}
	return e, nil
}

func referenceTime(n node) time.Time {
	for _, key := range []string{"timestamp", "receiveTimestamp"} {
		t, err := time.Parse(time.RFC3339Nano, n.text(key))
		if t = t.UTC(); err == nil && t.Year() >= 0 && t.Year() <= 9999 {
			return t
		}
	}
	return time.Time{}
}

func referencePayload(p node, e *detect.Entry) {
	e.Service, e.Method, e.Resource = p.text("serviceName"), p.text("methodName"), p.text("resourceName")
	a := p.at("authenticationInfo")
	e.Principal, e.PrincipalSubject, e.KeyName = a.text("principalEmail"), a.text("principalSubject"), a.text("serviceAccountKeyName")
	e.OAuthClient = a.text("oauthInfo", "oauthClientId")
	for _, by := range a.all("serviceAccountDelegationInfo") {
		e.Delegation = append(e.Delegation, cmp.Or(by.text("firstPartyPrincipal", "principalEmail"), by.text("principalSubject")))
	}
	for _, check := range p.all("authorizationInfo") {
		granted, _ := check.at("granted").value.(bool)
		e.Permissions = append(e.Permissions, detect.Permission{Name: check.text("permission"), Resource: check.text("resource"), Granted: granted})
	}
	e.CallerIP, e.UserAgent = p.text("requestMetadata", "callerIp"), p.text("requestMetadata", "callerSuppliedUserAgent")
	e.Code, e.Message, e.Violation = referenceStatus(p)
	if makes(e.Method) {
		e.Born = p.text("response", "name")
	}
	if isTest(e.Method) {
		for _, permission := range p.all("request", "permissions") {
			e.Tested = append(e.Tested, permission.text())
		}
	}
	for _, where := range []string{"serviceData", "metadata"} {
		for _, delta := range p.all(where, "policyDelta", "bindingDeltas") {
			if delta.text("action") == "ADD" {
				e.Grants = append(e.Grants, detect.Grant{Role: delta.text("role"), Member: delta.text("member")})
			}
		}
	}
}

func referenceStatus(p node) (code int32, message, violation string) {
	c := p.at("status", "code")
	written := c.text()
	if number, ok := c.value.(json.Number); ok {
		written = number.String()
	}
	if n, err := strconv.ParseInt(written, 10, 32); err == nil {
		code = int32(n)
	}
	message = p.text("status", "message")
	details, reason := p.all("status", "details"), ""
	if code != 0 {
		reason = policyReason(first(details, func(detail node) string { return detail.text("reason") }))
	}
	return code, message, cmp.Or(
		first(details, func(detail node) string {
			return first(detail.all("violations"), func(v node) string { return v.text("type") })
		}),
		p.text("metadata", "violationReason"),
		reason,
		constraint(code, message))
}
