package abuse

import (
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// APIKey is one that keyturn manages. None of them is due to be rotated while a
// world lasts.
type APIKey struct {
	Project *Project
	Name    string // projects/P/locations/global/keys/K
}

// keepAPIKeys gives each of the first projects one.
func (w *World) keepAPIKeys() {
	r := w.rand(2)
	for _, p := range w.projects[:4] {
		w.APIKeys = append(w.APIKeys, APIKey{p, "projects/" + p.ID + "/locations/global/keys/" + keyID(r)})
	}
}

// enter writes the key into the ledger.
func (k APIKey) enter(l *detect.Ledger) {
	secret := fmt.Sprintf("projects/%s/secrets/maps-key", k.Project.ID)
	given := Start.Add(-9 * day).Truncate(time.Second)
	l.Secrets = append(l.Secrets, detect.LedgerSecret{Name: secret, Target: "//apikeys.googleapis.com/" + k.Name})
	l.Keys = append(l.Keys, detect.LedgerKey{ID: k.Name, Secret: secret, Kind: "api-key", State: "active", Since: given, Given: given, Versions: []string{"1"}})
}
