package iam

import (
	"time"

	"example.com/keyturn/internal/localgcp/iam/directory"
)

// Standing is how an account and its keys stand in truth.
type Standing = directory.Standing

// AddAccount makes a service account as one that was there before any log was
// written; ALREADY_EXISTS if there is one.
func (s *Service) AddAccount(project, id, description string) error {
	_, err := s.directory.CreateAccount(project, id, "", description)
	return err
}

// Inspect tells how the account of an e-mail address and its keys stand, without
// the delays that the API has; false when there is none. Simulations judge by it.
func (s *Service) Inspect(email string) (Standing, bool) { return s.directory.Inspect(email) }

// InspectProject is Inspect for all accounts of a project, in no order.
func (s *Service) InspectProject(project string) []Standing {
	return s.directory.InspectProject(project)
}

// RemoveAccount deletes a service account without a trace.
func (s *Service) RemoveAccount(email string) error {
	return s.directory.DeleteAccount("projects/-/serviceAccounts/" + email)
}

// tokenLife is how long the tokens last that the metadata server gives programs.
const tokenLife = time.Hour

// AccessToken is what the metadata server gives a program that runs as the account of
// an e-mail address. No key is behind it, and no log tells of it.
func (s *Service) AccessToken(email string) (string, error) {
	a, err := s.directory.Account("projects/-/serviceAccounts/" + email)
	if err != nil {
		return "", err
	}
	token, _ := s.tokens.MintAccessToken(a, "", tokenLife)
	return token, nil
}
