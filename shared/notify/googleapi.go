package notify

import "encoding/json"

// googleTook recognizes the resource that a Google API answers with.
func googleTook(answer []byte) bool {
	var resource struct{ Name string }
	return json.Unmarshal(answer, &resource) == nil && resource.Name != ""
}

// googleSaid is status and message of an error of a Google API.
func googleSaid(answer []byte) string {
	var failed struct {
		Error struct{ Status, Message string }
	}
	if json.Unmarshal(answer, &failed) != nil || !word(failed.Error.Status) {
		return ""
	}
	return failed.Error.Status + ": " + failed.Error.Message
}
