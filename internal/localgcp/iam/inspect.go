package iam

import "example.com/keyturn/internal/localgcp/iam/directory"

// Standing is how an account and its keys stand in truth.
type Standing = directory.Standing

// Inspect tells how the account of an e-mail address and its keys stand, without
// the delays that the API has; false when there is none. Simulations judge by it.
func (s *Service) Inspect(email string) (Standing, bool) { return s.directory.Inspect(email) }
