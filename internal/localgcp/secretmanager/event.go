package secretmanager

import (
	"maps"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// configureTopics publishes TOPIC_CONFIGURED, with neither a body nor another
// attribute, to each topic that was not there before. A topic that does not
// take it fails the call with FailedPrecondition [mem].
func (s *Service) configureTopics(before, after []*pb.Topic) error {
	if s.cfg.Publisher == nil {
		return nil
	}
	had := map[string]bool{}
	for _, t := range before {
		had[t.GetName()] = true
	}
	for _, t := range after {
		if had[t.GetName()] {
			continue
		}
		if err := s.cfg.Publisher.PublishMessage(t.GetName(), nil, map[string]string{"eventType": "TOPIC_CONFIGURED"}); err != nil {
			return status.Errorf(codes.FailedPrecondition, "Topic [%s] cannot be published to: %s Create it, and grant the Secret Manager service agent roles/pubsub.publisher on it.", t.GetName(), sentence(err))
		}
	}
	return nil
}

func (s *Service) notifySecret(eventType string, sec *pb.Secret) {
	s.publish(sec, sec, map[string]string{"eventType": eventType})
}

func (s *Service) notifyVersion(eventType string, sec *pb.Secret, v *pb.SecretVersion) {
	s.publish(sec, v, map[string]string{"eventType": eventType, "versionId": v.GetName()})
}

// publish sends a notification about body to every topic of sec. A topic that
// does not take it is logged; the call that caused the event has succeeded.
func (s *Service) publish(sec *pb.Secret, body proto.Message, attributes map[string]string) {
	if s.cfg.Publisher == nil || len(sec.GetTopics()) == 0 {
		return
	}
	attributes["dataFormat"] = "JSON_API_V1"
	attributes["secretId"] = sec.GetName()
	attributes["timestamp"] = s.cfg.Clock.Now().Format(time.RFC3339Nano)
	data := []byte(protojson.Format(body))
	for _, t := range sec.GetTopics() {
		if err := s.cfg.Publisher.PublishMessage(t.GetName(), data, maps.Clone(attributes)); err != nil {
			s.logUnpublished(sec.GetName(), t.GetName(), err)
		}
	}
}

// logUnpublished writes the SecretEvent entry by which Google tells that a
// notification was lost. What is not a missing topic counts as a denied one.
func (s *Service) logUnpublished(secretName, topic string, cause error) {
	if s.cfg.Audit == nil {
		return
	}
	eventType, reason := "TOPIC_PERMISSION_DENIED", "could not be published to: "+sentence(cause)
	if status.Code(cause) == codes.NotFound {
		eventType, reason = "TOPIC_NOT_FOUND", "was not found."
	}
	parent, id, _ := strings.Cut(secretName, "/secrets/")
	project, location, isRegional := strings.Cut(parent, "/locations/")
	if !isRegional {
		location = "global"
	}
	s.cfg.Audit.WriteEntry(&loggingpb.LogEntry{
		LogName:  project + "/logs/secretmanager.googleapis.com%2Fsecret_event",
		Severity: logtype.LogSeverity_ERROR,
		Resource: &monitoredres.MonitoredResource{
			Type:   "secretmanager.googleapis.com/Secret",
			Labels: map[string]string{"resource_container": project, "location": location, "secret_id": id},
		},
		Payload: &loggingpb.LogEntry_JsonPayload{JsonPayload: &structpb.Struct{Fields: map[string]*structpb.Value{
			"@type":      structpb.NewStringValue("type.googleapis.com/google.cloud.secretmanager.logging.v1.SecretEvent"),
			"name":       structpb.NewStringValue(secretName),
			"type":       structpb.NewStringValue(eventType),
			"logMessage": structpb.NewStringValue("Pub/Sub topic " + topic + " of secret " + secretName + " " + reason),
		}}},
	})
}

// sentence is the text of err, which carries a gRPC status or none.
func sentence(err error) string {
	return strings.TrimSuffix(status.Convert(err).Message(), ".") + "."
}
