package iam

import "example.com/keyturn/internal/localgcp/iam/directory"

// KeyStanding is how a user-managed key stands in truth.
type KeyStanding = directory.Standing

// Inspect tells how the user-managed keys of an account stand, without the
// delays that the API has. Simulations judge by it.
func (s *Service) Inspect(email string) []KeyStanding { return s.directory.Inspect(email) }
