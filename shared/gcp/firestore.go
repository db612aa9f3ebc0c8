package gcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"example.com/keyturn/shared/state"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Documents are small documents in one collection of the project's default
// Firestore database. A document's field data has its bytes; field expires, the one
// for a policy of time to live, until when it is needed.
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

	maxRaces    = 10                     // that one update may lose against others
	raceBackoff = 200 * time.Millisecond // first pause after one; it grows by as much
)

// Update replaces a document by what change makes of it, as state.Memory does. It
// reads, and writes on condition that the document is still the one read: of two
// updates one wins and the other begins anew. That is as safe as Firestore's
// transactions, and no instance that is frozen in between locks others out. So
// change is called again after a write of which it is not known whether it worked,
// and may be given what it has made itself.
func (d *Documents) Update(ctx context.Context, name string, change state.Change) error {
	if err := state.Check(ctx, name); err != nil {
		return err
	}
	for n := 1; ; n++ {
		err := d.try(ctx, name, change)
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

func (d *Documents) try(ctx context.Context, name string, change state.Change) error {
	client, err := d.cloud.firestore(ctx)
	if err != nil {
		return err
	}
	found, err := client.GetDocument(ctx, &firestorepb.GetDocumentRequest{Name: d.parent + "/" + name})
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("reading document %s: %w", name, err)
	}
	old := found.GetFields()[fieldData].GetBytesValue()
	data, expires, err := change(bytes.Clone(old))
	if err != nil {
		return fmt.Errorf("changing document %s: %w", name, err)
	}
	if bytes.Equal(data, old) {
		return nil
	}
	if err := state.CheckSize(name, data); err != nil {
		return err
	}
	_, err = client.Commit(ctx, &firestorepb.CommitRequest{
		Database: d.database,
		Writes:   []*firestorepb.Write{d.write(name, found, data, expires)},
	})
	if err != nil {
		return fmt.Errorf("writing document %s: %w", name, err)
	}
	return nil
}

// write is the write of a document that was found; nil is that there was none.
func (d *Documents) write(name string, found *firestorepb.Document, data []byte, expires time.Time) *firestorepb.Write {
	fields := map[string]*firestorepb.Value{fieldData: {ValueType: &firestorepb.Value_BytesValue{BytesValue: data}}}
	if !expires.IsZero() {
		fields[fieldExpires] = &firestorepb.Value{ValueType: &firestorepb.Value_TimestampValue{TimestampValue: timestamppb.New(expires)}}
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

// Each visits the documents whose names begin with prefix, as they were at one
// moment.
func (d *Documents) Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error {
	client, err := d.cloud.firestore(ctx)
	if err != nil {
		return err
	}
	stream, err := client.RunQuery(ctx, d.query(prefix))
	if err != nil {
		return fmt.Errorf("listing documents %s…: %w", prefix, err)
	}
	for {
		found, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing documents %s…: %w", prefix, err)
		}
		if found.GetDocument() == nil {
			continue // it only says how far the query has come
		}
		name := strings.TrimPrefix(found.GetDocument().GetName(), d.parent+"/")
		if err := visit(name, found.GetDocument().GetFields()[fieldData].GetBytesValue()); err != nil {
			return err
		}
	}
}

// query selects the documents whose names begin with prefix.
func (d *Documents) query(prefix string) *firestorepb.RunQueryRequest {
	parent, collection := path.Split(d.parent)
	bound := func(op firestorepb.StructuredQuery_FieldFilter_Operator, name string) *firestorepb.StructuredQuery_Filter {
		return &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_FieldFilter{FieldFilter: &firestorepb.StructuredQuery_FieldFilter{
			Field: &firestorepb.StructuredQuery_FieldReference{FieldPath: "__name__"}, Op: op,
			Value: &firestorepb.Value{ValueType: &firestorepb.Value_ReferenceValue{ReferenceValue: d.parent + "/" + name}},
		}}}
	}
	return &firestorepb.RunQueryRequest{
		Parent: strings.TrimSuffix(parent, "/"),
		QueryType: &firestorepb.RunQueryRequest_StructuredQuery{StructuredQuery: &firestorepb.StructuredQuery{
			From: []*firestorepb.StructuredQuery_CollectionSelector{{CollectionId: collection}},
			Where: &firestorepb.StructuredQuery_Filter{FilterType: &firestorepb.StructuredQuery_Filter_CompositeFilter{CompositeFilter: &firestorepb.StructuredQuery_CompositeFilter{
				Op: firestorepb.StructuredQuery_CompositeFilter_AND,
				Filters: []*firestorepb.StructuredQuery_Filter{
					bound(firestorepb.StructuredQuery_FieldFilter_GREATER_THAN_OR_EQUAL, prefix),
					bound(firestorepb.StructuredQuery_FieldFilter_LESS_THAN, prefix+"~"), // which is beyond all that names are made of
				},
			}}},
		}},
	}
}
