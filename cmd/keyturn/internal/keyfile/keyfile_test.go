package keyfile

import (
	"net/http"
	"strings"
	"testing"
)

func TestPayloadsThatAreNoKeyFiles(t *testing.T) {
	for _, payload := range []string{"", "{}", "hunter2", `{"private_key_id":""}`, `{"private_key_id":7}`} {
		if _, err := Mint(t.Context(), http.DefaultClient, []byte(payload)); err == nil || payload != "" && strings.Contains(err.Error(), payload) {
			t.Errorf("Mint: error %v", err)
		}
		if _, err := ID([]byte(payload)); err == nil || payload != "" && strings.Contains(err.Error(), payload) {
			t.Errorf("ID: error %v", err)
		}
	}
}

func TestID(t *testing.T) {
	if id, err := ID([]byte(`{"private_key_id":"k1"}`)); id != "k1" || err != nil {
		t.Errorf("ID = %q, %v", id, err)
	}
}
