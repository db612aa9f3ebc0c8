package gcp

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"example.com/keyturn/shared/state"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Documents are small documents in one collection of the project's default
// Firestore database. A document's field data has its bytes; field expires, the one
// for a policy of time to live, until when it is needed; field due, which is indexed,
// when it is due.
type Documents struct {
	cloud    *Cloud
	database string // full name
	parent   string // full name of the collection
}

// Documents returns a collection, which need not be made beforehand.
func (c *Cloud) Documents(collection string) *Documents {
	database := "projects/" + c.config.Project + "/databases/(default)"
	return &Documents{c, database, database + "/documents/" + collection}
}

const (
	fieldData    = "data"
	fieldExpires = "expires"
	fieldDue     = "due"

	maxRaces    = 10                     // that one update may lose against others
	raceBackoff = 200 * time.Millisecond // first pause after one; it grows by as much
)

// Update replaces the data of a document by what change makes of it, as Replace
// does, and leaves when it is due as it is.
func (d *Documents) Update(ctx context.Context, name string, change state.Change) error {
	return d.Replace(ctx, name, state.Undated(change))
}

// Replace replaces a document by what its replacement makes of it. It reads, and writes on condition that the document is still the one read: of two
// updates one wins and the other begins anew. That is as safe as Firestore's
// transactions, and no instance that is frozen in between locks others out. So the
// replacement is called again after a write of which it is not known whether it
// worked, and may be given what it has made itself.
func (d *Documents) Replace(ctx context.Context, name string, replacement state.Replacement) error {
	if err := state.Check(ctx, name); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := d.try(ctx, name, replacement)
		if err == nil || n == maxRaces || !lostRace(err) || d.cloud.calls.pause(ctx, d.cloud.calls.jitter(time.Duration(n)*raceBackoff)) != nil {
			return err
		}
	}
}

// lostRace reports whether an update may work when it is begun anew.
func lostRace(err error) bool {
	switch status.Code(err) {
	case codes.FailedPrecondition, codes.AlreadyExists, codes.Aborted, codes.Unavailable:
		return true
	}
	return false
}

func (d *Documents) try(ctx context.Context, name string, replacement state.Replacement) error {
	client, err := d.cloud.firestore(ctx)
	if err != nil {
		return err
	}
	found, err := client.GetDocument(ctx, &firestorepb.GetDocumentRequest{Name: d.parent + "/" + name})
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("reading document %s: %w", name, err)
	}
	made, same, err := state.Make(name, documentOf(found), replacement)
	if err != nil {
		return fmt.Errorf("changing document %s: %w", name, err)
	}
	if same {
		return nil
	}
	_, err = client.Commit(ctx, &firestorepb.CommitRequest{
		Database: d.database,
		Writes:   []*firestorepb.Write{d.write(name, found, made)},
	})
	if err != nil {
		return fmt.Errorf("writing document %s: %w", name, err)
	}
	return nil
}

// documentOf is a document that was found; nil is that there was none.
func documentOf(found *firestorepb.Document) state.Document {
	fields := found.GetFields()
	return state.Document{Data: fields[fieldData].GetBytesValue(), Expires: timeOf(fields[fieldExpires]), Due: timeOf(fields[fieldDue])}
}

// timeOf is the time of a field; zero if there is none.
func timeOf(v *firestorepb.Value) time.Time {
	if v.GetTimestampValue() == nil {
		return time.Time{}
	}
	return v.GetTimestampValue().AsTime()
}

func timestamp(t time.Time) *firestorepb.Value {
	return &firestorepb.Value{ValueType: &firestorepb.Value_TimestampValue{TimestampValue: timestamppb.New(t)}}
}

// write is the write of a document that was found; nil is that there was none.
func (d *Documents) write(name string, found *firestorepb.Document, made state.Document) *firestorepb.Write {
	fields := map[string]*firestorepb.Value{fieldData: {ValueType: &firestorepb.Value_BytesValue{BytesValue: made.Data}}}
	for field, at := range map[string]time.Time{fieldExpires: made.Expires, fieldDue: made.Due} {
		if !at.IsZero() {
			fields[field] = timestamp(at)
		}
	}
	condition := &firestorepb.Precondition{ConditionType: &firestorepb.Precondition_Exists{Exists: false}}
	if found != nil {
		condition.ConditionType = &firestorepb.Precondition_UpdateTime{UpdateTime: found.GetUpdateTime()}
	}
	return &firestorepb.Write{
		Operation:       &firestorepb.Write_Update{Update: &firestorepb.Document{Name: d.parent + "/" + name, Fields: fields}},
		CurrentDocument: condition,
	}
}
