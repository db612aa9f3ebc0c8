package conformance

import (
	"testing"

	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc"

	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/wire"
)

type tokens struct{}

func (tokens) IdentityToken(email, audience string) (string, error) {
	return email + " for " + audience, nil
}

func TestEmbedded(t *testing.T) {
	s := pubsub.New(pubsub.Config{Tokens: tokens{}})
	h, err := wire.NewHandler(s.Register, nil, grpc.MaxRecvMsgSize(16<<20))
	if err != nil {
		t.Fatal(err)
	}
	server, err := wire.Listen("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = server.Close()
	})
	Run(t, Target{Addr: server.Addr})
}

func TestPstest(t *testing.T) {
	s := pstest.NewServer()
	t.Cleanup(func() { _ = s.Close() })
	Run(t, Target{Addr: s.Addr, Lacks: map[Feature]string{
		DeadLetter:  "pstest republishes a dead message for ever",
		Detach:      "pstest goes on delivering",
		ErrorTexts:  "pstest has texts of its own and takes any name",
		ExactlyOnce: "pstest takes any ack id",
		FlowControl: "pstest ignores what a raw stream asks for",
		Limits:      "pstest knows no limits",
		Push:        "pstest stores the configuration and delivers nothing",
		StreamEnd:   "pstest leaves the streams of a deleted subscription open",
		RetryPolicy: "pstest stores the policy and redelivers at once",
	}})
}
