package principal

import (
	"context"
	"testing"
)

func TestContext(t *testing.T) {
	if p := FromContext(context.Background()); !p.IsOwner() || p != (Principal{}) {
		t.Errorf("a context without a caller carries %+v, want the owner", p)
	}
	thief := Principal{Email: "sa@acme.iam.gserviceaccount.com", KeyName: "//iam.googleapis.com/projects/acme/serviceAccounts/sa/keys/k"}
	ctx := NewContext(context.Background(), thief)
	if p := FromContext(ctx); p != thief || p.IsOwner() {
		t.Errorf("%+v came out, %+v went in", p, thief)
	}
	if p := FromContext(NewContext(ctx, Principal{})); !p.IsOwner() {
		t.Errorf("the owner behind %+v is %+v", thief, p)
	}
}
