package iam

import "example.com/keyturn/internal/localgcp/iam/directory"

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
