package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/proto"
)

// do makes a request whose answer no secret may be in.
func (s *stage) do(req *http.Request) (code int, body []byte, err error) {
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.TeeReader(resp.Body, &s.canaries))
	return resp.StatusCode, body, err
}

// send is do where nothing but success will do.
func (s *stage) send(req *http.Request) error {
	code, body, err := s.do(req)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("HTTP %d: %.200s", code, body)
	}
	return err
}

// readLogs has all of Cloud Logging searched for secrets.
func (s *stage) readLogs(ctx context.Context) error {
	s.progress.Stage("reading the logs", 1)
	client, err := logging.NewClient(ctx, s.Options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	it := client.ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/" + s.Project}, PageSize: 1000})
	for entries := 0; ; entries++ {
		e, err := it.Next()
		if err == iterator.Done && entries == 0 {
			return errors.New("nothing was logged")
		}
		if err == iterator.Done {
			s.progress.Advance(1)
			return nil
		}
		if err != nil {
			return err
		}
		text, err := proto.Marshal(e) // leaves every string as it is
		if err != nil {
			return err
		}
		_, _ = s.canaries.Write(text) // a buffer takes everything
	}
}
