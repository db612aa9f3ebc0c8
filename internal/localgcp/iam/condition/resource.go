package condition

import "strings"

// Resource is what a request is about, as conditions see it.
type Resource struct{ Name, Type, Service string }

// kinds are the resources that tell conditions what they are, by the collection
// that their names end with, of those that the embedded cloud has; of all others
// the attributes are empty
// (docs.cloud.google.com/iam/docs/conditions-resource-attributes).
var kinds = map[string]Resource{
	"projects": {Type: "cloudresourcemanager.googleapis.com/Project", Service: "cloudresourcemanager.googleapis.com"},
	"secrets":  {Type: "secretmanager.googleapis.com/Secret", Service: "secretmanager.googleapis.com"},
	"versions": {Type: "secretmanager.googleapis.com/SecretVersion", Service: "secretmanager.googleapis.com"},
}

// Of is the resource of a full name, such as projects/P/secrets/S. Secret Manager
// and Resource Manager call the project by its number there [mem: of projects].
func Of(name string, number func(project string) string) Resource {
	parts := strings.Split(name, "/")
	if len(parts) < 2 || len(parts)%2 != 0 {
		return Resource{}
	}
	r, known := kinds[parts[len(parts)-2]]
	if !known || parts[0] != "projects" {
		return Resource{}
	}
	parts[1] = number(parts[1])
	r.Name = strings.Join(parts, "/")
	return r
}

// extract is what stands for the {placeholder} of a template where it first fits;
// empty if it fits nowhere.
func extract(text, template string) string {
	before, rest, open := strings.Cut(template, "{")
	_, after, closed := strings.Cut(rest, "}")
	_, found, fits := strings.Cut(text, before)
	if !open || !closed || !fits {
		return ""
	}
	if after == "" {
		return found
	}
	value, _, ends := strings.Cut(found, after)
	if !ends {
		return ""
	}
	return value
}
