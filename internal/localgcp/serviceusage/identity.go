package serviceusage

import (
	"net/http"
	"regexp"
	"strings"

	"example.com/keyturn/internal/localgcp/wire"
)

// agents are the accounts of Google's own by which services act, as far as somebody has
// to ask for them before they can be granted anything.
var agents = map[string]string{"pubsub.googleapis.com": "gcp-sa-pubsub", "secretmanager.googleapis.com": "gcp-sa-secretmanager"}

// BetaMethods are those of Service Usage v1beta1, over REST alone.
func (s *Service) BetaMethods() []wire.Method {
	return []wire.Method{{
		Verb: http.MethodPost, Path: regexp.MustCompile(`^/v1beta1/projects/([^/]+)/services/([^/:]+):generateServiceIdentity$`),
		Name: "/google.api.serviceusage.v1beta1.ServiceUsage/GenerateServiceIdentity", Permission: "serviceusage.services.use", Run: s.generateIdentity,
	}}
}

// generateIdentity makes a service's account, or finds that it is there.
func (s *Service) generateIdentity(r *wire.Request) (any, error) {
	if _, _, err := find("projects/" + r.Args[0] + "/services/" + r.Args[1]); err != nil {
		return nil, err
	}
	number := r.Args[0]
	if strings.Trim(number, "0123456789") != "" {
		number = s.cfg.Number(number)
	}
	answer := map[string]any{"@type": "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity"}
	if agent := agents[r.Args[1]]; agent != "" {
		answer["email"], answer["uniqueId"] = "service-"+number+"@"+agent+".iam.gserviceaccount.com", s.cfg.Random.Text(21)
	}
	return map[string]any{"name": "operations/finished.DONE_OPERATION", "done": true, "response": answer}, nil
}
