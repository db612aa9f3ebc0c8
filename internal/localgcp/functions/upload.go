package functions

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// uploadPath is where sources are uploaded to. The name of an object, which is not to be
// guessed, is all that it takes, as with a signed URL.
const uploadPath = "/localgcp/upload/"

// ServesUploads reports whether a URL path is that of an upload.
func ServesUploads(path string) bool { return strings.HasPrefix(path, uploadPath) }

// Google's limits for a source, packed and unpacked
// (docs.cloud.google.com/functions/quotas), and how many files one may have here.
const (
	maxPacked   = 100 << 20
	maxUnpacked = 500 << 20
	maxFiles    = 50_000
)

// GenerateUploadUrl says where the source of a function is to be uploaded to.
func (s *Service) GenerateUploadUrl(_ context.Context, req *functionspb.GenerateUploadUrlRequest) (*functionspb.GenerateUploadUrlResponse, error) {
	if !parentName.MatchString(req.GetParent()) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid resource name: %q", req.GetParent())
	}
	object := s.cfg.Random.UUID() + ".zip"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[object] = false
	return &functionspb.GenerateUploadUrlResponse{
		UploadUrl:     s.cfg.URL() + uploadPath + object,
		StorageSource: &functionspb.StorageSource{Bucket: "gcf-v2-uploads", Object: object, Generation: 1},
	}, nil
}

// ServeHTTP takes an upload, once.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object := path.Base(r.URL.Path)
	s.mu.Lock()
	done, known := s.uploads[object]
	s.uploads[object] = known || done
	if !known {
		delete(s.uploads, object)
	}
	s.mu.Unlock()
	if r.Method != http.MethodPut || !known || done {
		http.Error(w, "SignatureDoesNotMatch", http.StatusForbidden)
		return
	}
	if err := s.keep(object, http.MaxBytesReader(w, r.Body, maxPacked)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *Service) keep(object string, body io.Reader) error {
	f, err := os.OpenFile(filepath.Join(s.cfg.Dir, object), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keeping the upload: %w", err)
	}
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keeping the upload: %w", err)
	}
	return nil
}

// unpack writes what was uploaded as that object into a new directory.
func (s *Service) unpack(object string) (dir string, err error) {
	s.mu.Lock()
	uploaded := s.uploads[object]
	s.mu.Unlock()
	if !uploaded {
		return "", status.Errorf(codes.NotFound, "Source %q was not uploaded.", object)
	}
	packed, err := zip.OpenReader(filepath.Join(s.cfg.Dir, object))
	if err != nil {
		return "", status.Errorf(codes.InvalidArgument, "The source is no zip archive: %v", err)
	}
	defer packed.Close()
	if dir, err = os.MkdirTemp(s.cfg.Dir, "source-"); err != nil {
		return "", fmt.Errorf("making room for the source: %w", err)
	}
	left := int64(maxUnpacked)
	if len(packed.File) > maxFiles {
		return "", status.Errorf(codes.InvalidArgument, "The source has more than %d files.", maxFiles)
	}
	for _, f := range packed.File {
		n, err := unpackFile(f, dir, left)
		if err != nil {
			return "", err
		}
		left -= n
	}
	return dir, nil
}

// unpackFile writes one file of an archive, if it is not larger than what is left.
func unpackFile(f *zip.File, dir string, left int64) (written int64, err error) {
	name := filepath.FromSlash(f.Name)
	if !filepath.IsLocal(name) || f.Mode()&^(fs.ModePerm|fs.ModeDir) != 0 {
		return 0, status.Errorf(codes.InvalidArgument, "The source has %q, which is neither a file nor a directory of it.", f.Name)
	}
	to := filepath.Join(dir, name)
	if f.FileInfo().IsDir() {
		return 0, os.MkdirAll(to, 0o700)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return 0, fmt.Errorf("unpacking the source: %w", err)
	}
	in, err := f.Open()
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument, "The source cannot be unpacked: %v", err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("unpacking the source: %w", err)
	}
	written, err = io.Copy(out, io.LimitReader(in, left+1))
	switch err = errors.Join(err, out.Close()); {
	case err != nil:
		return 0, status.Errorf(codes.InvalidArgument, "The source cannot be unpacked: %v", err)
	case written > left:
		return 0, status.Errorf(codes.InvalidArgument, "The source is larger than %d bytes.", int64(maxUnpacked))
	}
	return written, nil
}
