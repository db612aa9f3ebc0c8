package event

import (
	"strconv"

	"example.com/keyturn/shared/detect"
)

// What is read of a LogEntry, one function an object. Each first empties what it
// fills, for a key may occur twice.

// entry reads a google.logging.v2.LogEntry.
func (d *Decoder) entry(e *detect.Entry) {
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "logName":
			e.LogName = j.Text()
		case "insertId":
			e.InsertID = j.Text()
		case "timestamp":
			d.time = j.Text()
		case "receiveTimestamp":
			d.received = j.Text()
		case "resource":
			d.resource(e)
		case "protoPayload":
			d.auditLog(e)
		default:
			j.Skip()
		}
	}
}

func (d *Decoder) resource(e *detect.Entry) {
	d.projectLabel, e.Account = "", ""
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		if key == "labels" {
			d.labels(e)
		} else {
			j.Skip()
		}
	}
}

func (d *Decoder) labels(e *detect.Entry) {
	d.projectLabel, e.Account = "", ""
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "project_id":
			d.projectLabel = j.Text()
		case "email_id":
			e.Account = j.Text()
		default:
			j.Skip()
		}
	}
}

// auditLog reads a google.cloud.audit.AuditLog.
func (d *Decoder) auditLog(e *detect.Entry) {
	j := &d.json
	if d.payload {
		forgetPayload(e)
		d.entryParts = entryParts{time: d.time, received: d.received, projectLabel: d.projectLabel, metadataGrants: d.metadataGrants[:0]}
	}
	d.payload = j.IsObject()
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "@type":
			d.payloadType = j.Text()
		case "serviceName":
			e.Service = j.Text()
		case "methodName":
			e.Method = j.Text()
		case "resourceName":
			e.Resource = j.Text()
		case "authenticationInfo":
			d.authentication(e)
		case "authorizationInfo":
			d.authorization(e)
		case "requestMetadata":
			d.requestMetadata(e)
		case "status":
			d.status(e)
		case "request":
			d.request(e)
		case "response":
			d.response()
		case "serviceData":
			e.Grants = d.serviceData(e.Grants[:0])
		case "metadata":
			d.metadata()
		default:
			j.Skip()
		}
	}
}

func (d *Decoder) authentication(e *detect.Entry) {
	e.Principal, e.PrincipalSubject, e.KeyName, e.OAuthClient, e.Delegation = "", "", "", "", e.Delegation[:0]
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "principalEmail":
			e.Principal = j.Text()
		case "principalSubject":
			e.PrincipalSubject = j.Text()
		case "serviceAccountKeyName":
			e.KeyName = j.Text()
		case "serviceAccountDelegationInfo":
			e.Delegation = e.Delegation[:0]
			for ok := j.Array(); ok; ok = j.NextElement() {
				e.Delegation = append(e.Delegation, d.delegation())
			}
		case "oauthInfo":
			e.OAuthClient = d.textAt("oauthClientId")
		default:
			j.Skip()
		}
	}
}

// delegation reads who impersonated: an e-mail, or else a subject.
func (d *Decoder) delegation() string {
	email, subject := "", ""
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "firstPartyPrincipal":
			email = d.textAt("principalEmail")
		case "principalSubject":
			subject = j.Text()
		default:
			j.Skip()
		}
	}
	if email != "" {
		return email
	}
	return subject
}

// textAt reads the text of one key of an object, and skips the others.
func (d *Decoder) textAt(name string) string {
	text := ""
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		if key == name {
			text = j.Text()
		} else {
			j.Skip()
		}
	}
	return text
}

func (d *Decoder) authorization(e *detect.Entry) {
	e.Permissions = e.Permissions[:0]
	j := &d.json
	for ok := j.Array(); ok; ok = j.NextElement() {
		e.Permissions = append(e.Permissions, detect.Permission{})
		d.permission(&e.Permissions[len(e.Permissions)-1])
	}
}

func (d *Decoder) permission(p *detect.Permission) {
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "permission":
			p.Name = j.Text()
		case "resource":
			p.Resource = j.Text()
		case "granted":
			p.Granted = j.True()
		default:
			j.Skip()
		}
	}
}

func (d *Decoder) requestMetadata(e *detect.Entry) {
	e.CallerIP, e.UserAgent = "", ""
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "callerIp":
			e.CallerIP = j.Text()
		case "callerSuppliedUserAgent":
			e.UserAgent = j.Text()
		default:
			j.Skip()
		}
	}
}

// status reads a google.rpc.Status.
func (d *Decoder) status(e *detect.Entry) {
	e.Code, e.Message, d.violationType, d.errorReason = 0, "", "", ""
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "code":
			e.Code = d.code()
		case "message":
			e.Message = j.Text()
		case "details":
			d.details()
		default:
			j.Skip()
		}
	}
}

// code reads a google.rpc.Code, which some writers put into a string. What is
// neither is 0.
func (d *Decoder) code() int32 {
	n, err := strconv.ParseInt(d.json.Scalar(), 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// details reads the first violation's type and the first ErrorInfo's reason.
func (d *Decoder) details() {
	d.violationType, d.errorReason = "", ""
	j := &d.json
	for ok := j.Array(); ok; ok = j.NextElement() {
		violation, reason := d.detail()
		if d.violationType == "" {
			d.violationType = violation
		}
		if d.errorReason == "" {
			d.errorReason = reason
		}
	}
}

func (d *Decoder) detail() (violation, reason string) {
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "violations":
			violation = d.violations()
		case "reason":
			reason = j.Text()
		default:
			j.Skip()
		}
	}
	return violation, reason
}

func (d *Decoder) violations() string {
	first := ""
	j := &d.json
	for ok := j.Array(); ok; ok = j.NextElement() {
		if kind := d.textAt("type"); first == "" {
			first = kind
		}
	}
	return first
}

// request reads the permissions that a testIamPermissions call asks about.
func (d *Decoder) request(e *detect.Entry) {
	e.Tested = e.Tested[:0]
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		if key != "permissions" {
			j.Skip()
			continue
		}
		e.Tested = e.Tested[:0]
		for ok := j.Array(); ok; ok = j.NextElement() {
			e.Tested = append(e.Tested, j.Text())
		}
	}
}

func (d *Decoder) response() { d.created = d.textAt("name") }

func (d *Decoder) metadata() {
	d.reason, d.metadataGrants = "", d.metadataGrants[:0]
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "violationReason":
			d.reason = j.Text()
		case "policyDelta":
			d.metadataGrants = d.policyDelta(d.metadataGrants[:0])
		default:
			j.Skip()
		}
	}
}
