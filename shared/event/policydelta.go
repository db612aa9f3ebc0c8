package event

import "example.com/keyturn/shared/detect"

// serviceData reads what a change of a policy added, and appends it to grants.
func (d *Decoder) serviceData(grants []detect.Grant) []detect.Grant {
	before := len(grants)
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		if key == "policyDelta" {
			grants = d.policyDelta(grants[:before])
		} else {
			j.Skip()
		}
	}
	return grants
}

func (d *Decoder) policyDelta(grants []detect.Grant) []detect.Grant {
	before := len(grants)
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		if key == "bindingDeltas" {
			grants = d.bindingDeltas(grants[:before])
		} else {
			j.Skip()
		}
	}
	return grants
}

func (d *Decoder) bindingDeltas(grants []detect.Grant) []detect.Grant {
	j := &d.json
	for ok := j.Array(); ok; ok = j.NextElement() {
		if action, grant := d.bindingDelta(); action == "ADD" {
			grants = append(grants, grant)
		}
	}
	return grants
}

func (d *Decoder) bindingDelta() (action string, g detect.Grant) {
	j := &d.json
	for key, ok := j.Object(); ok; key, ok = j.NextKey() {
		switch key {
		case "action":
			action = j.Text()
		case "role":
			g.Role = j.Text()
		case "member":
			g.Member = j.Text()
		default:
			j.Skip()
		}
	}
	return action, g
}
