package main

import (
	"iter"
	"strconv"
	"strings"
)

// inventoryColumns are those of --format csv.
var inventoryColumns = []string{
	"state", "kind", "project", "id", "name", "owner", "why", "secret", "phase", "disabled", "disable_reason", "created", "age_days", "expires",
	"use", "last_used", "unused_since", "evidence", "private_half", "in_secret", "versions", "keyless", "plan",
}

// inventoryRows are the credentials as inventoryColumns has them.
func inventoryRows(credentials iter.Seq[inventoryItem]) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for i := range credentials {
			if !yield(i.row()) {
				return
			}
		}
	}
}

func (i inventoryItem) row() []string {
	var keyless []string
	for _, w := range i.Keyless {
		keyless = append(keyless, string(w))
	}
	days := ""
	if i.AgeDays >= 0 {
		days = strconv.Itoa(i.AgeDays)
	}
	goal := ""
	if i.Plan != nil {
		goal = i.Plan.Goal
	}
	return []string{
		string(i.State), string(i.Kind), i.Project, i.ID, i.Name, i.Owner, i.Why, i.Secret, i.Phase, strconv.FormatBool(i.Disabled), i.Reason,
		stamped(i.Created), days, stamped(i.Expires), string(i.Use.Verdict), stamped(i.Use.Last), stamped(i.Use.Since), i.Use.Reason,
		string(i.Private.Where), i.Private.Secret, strings.Join(i.Private.Versions, " "), strings.Join(keyless, " "), goal,
	}
}
