package gcp

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"strconv"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Secret is a secret's metadata.
type Secret struct {
	Name         string // projects/P/secrets/S
	Etag         string
	Labels       map[string]string
	Annotations  map[string]string
	Aliases      map[string]string // alias → version number
	NextRotation time.Time         // zero without a rotation schedule
	Topics       []string          // full names
}

// Change is a compare-and-swap of a secret's metadata. What is nil stays as it is.
type Change struct {
	Name        string
	Etag        string // of the Secret that the change was made from
	Labels      map[string]string
	Annotations map[string]string
	Aliases     map[string]string
	Reminder    *Reminder
}

// Reminder has Secret Manager publish SECRET_ROTATE to a topic. It reminds
// whether or not anybody rotates.
type Reminder struct {
	Topic  string    // short id, in the project of the Cloud
	Next   time.Time // zero ends it: there is no schedule any more, and Topic is told nothing
	Period time.Duration
	Others []string // full names of the other topics that the secret has
}

// Secret reads a secret's metadata.
func (c *Cloud) Secret(ctx context.Context, name string) (Secret, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return Secret{}, err
	}
	s, err := client.GetSecret(ctx, &secretmanagerpb.GetSecretRequest{Name: name})
	if err != nil {
		return Secret{}, fmt.Errorf("reading secret %s: %w", name, err)
	}
	return secretOf(s), nil
}

// Secrets lists the project's secrets that match filter.
func (c *Cloud) Secrets(ctx context.Context, filter string) iter.Seq2[Secret, error] {
	return func(yield func(Secret, error) bool) {
		client, err := c.secretManager(ctx)
		if err != nil {
			yield(Secret{}, err)
			return
		}
		it := client.ListSecrets(ctx, &secretmanagerpb.ListSecretsRequest{Parent: "projects/" + c.config.Project, Filter: filter})
		for {
			s, err := it.Next()
			if err == iterator.Done {
				return
			}
			if err != nil {
				yield(Secret{}, fmt.Errorf("listing secrets of %s: %w", c.config.Project, err))
				return
			}
			if !yield(secretOf(s), nil) {
				return
			}
		}
	}
}

// UpdateSecret writes a change if nobody wrote since Change.Etag was read;
// otherwise the error satisfies IsFailedPrecondition.
func (c *Cloud) UpdateSecret(ctx context.Context, ch Change) (Secret, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return Secret{}, err
	}
	req, err := ch.request(c.config.Project)
	if err != nil {
		return Secret{}, fmt.Errorf("updating secret %s: %w", ch.Name, err)
	}
	s, err := client.UpdateSecret(ctx, req)
	if err != nil {
		return Secret{}, fmt.Errorf("updating secret %s: %w", ch.Name, err)
	}
	return secretOf(s), nil
}

func (ch Change) request(project string) (*secretmanagerpb.UpdateSecretRequest, error) {
	aliases, err := aliasNumbers(ch.Aliases)
	if err != nil {
		return nil, err
	}
	s := &secretmanagerpb.Secret{Name: ch.Name, Etag: ch.Etag, Labels: ch.Labels, Annotations: ch.Annotations, VersionAliases: aliases}
	mask := &fieldmaskpb.FieldMask{}
	if ch.Labels != nil {
		mask.Paths = append(mask.Paths, "labels")
	}
	if ch.Annotations != nil {
		mask.Paths = append(mask.Paths, "annotations")
	}
	if ch.Aliases != nil {
		mask.Paths = append(mask.Paths, "version_aliases")
	}
	if r := ch.Reminder; r != nil {
		mask.Paths = append(mask.Paths, "topics", "rotation")
		s.Topics, s.Rotation = r.in(project)
	}
	return &secretmanagerpb.UpdateSecretRequest{Secret: s, UpdateMask: mask}, nil
}

// in is the reminder in Secret Manager's terms.
func (r Reminder) in(project string) (topics []*secretmanagerpb.Topic, schedule *secretmanagerpb.Rotation) {
	own := "projects/" + project + "/topics/" + r.Topic
	for _, name := range r.Others {
		if name != own {
			topics = append(topics, &secretmanagerpb.Topic{Name: name})
		}
	}
	if r.Next.IsZero() {
		return topics, nil
	}
	return append(topics, &secretmanagerpb.Topic{Name: own}), &secretmanagerpb.Rotation{NextRotationTime: timestamppb.New(r.Next), RotationPeriod: durationpb.New(r.Period)}
}

// EnsureSecret creates a secret with automatic replication unless it exists.
func (c *Cloud) EnsureSecret(ctx context.Context, name string, labels map[string]string) error {
	client, err := c.secretManager(ctx)
	if err != nil {
		return err
	}
	parent := path.Dir(path.Dir(name))
	_, err = client.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
		Parent: parent, SecretId: path.Base(name),
		Secret: &secretmanagerpb.Secret{
			Labels:      labels,
			Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
		},
	})
	if err != nil && !IsAlreadyExists(err) {
		return fmt.Errorf("creating secret %s: %w", name, err)
	}
	return nil
}

func secretOf(s *secretmanagerpb.Secret) Secret {
	out := Secret{Name: s.GetName(), Etag: s.GetEtag(), Labels: maps.Clone(s.GetLabels()), Annotations: maps.Clone(s.GetAnnotations()), Aliases: map[string]string{}}
	for alias, n := range s.GetVersionAliases() {
		out.Aliases[alias] = strconv.FormatInt(n, 10)
	}
	for _, t := range s.GetTopics() {
		out.Topics = append(out.Topics, t.GetName())
	}
	if next := s.GetRotation().GetNextRotationTime(); next != nil {
		out.NextRotation = next.AsTime()
	}
	return out
}

func aliasNumbers(aliases map[string]string) (map[string]int64, error) {
	numbers := map[string]int64{}
	for alias, version := range aliases {
		n, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("alias %s: version %q is not a number", alias, version)
		}
		numbers[alias] = n
	}
	return numbers, nil
}
