package gemini

import (
	"net/url"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/gemini/answer"
	"example.com/keyturn/internal/localgcp/gemini/catalog"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

type modelPage struct {
	Models        []catalog.Model `json:"models,omitempty"`
	NextPageToken string          `json:"nextPageToken,omitempty"`
}

// listModels answers ListModels by pages.
func listModels(query url.Values) (answer.Reply, error) {
	size, err := number(query, "pageSize", defaultPage)
	if err != nil {
		return answer.Reply{}, err
	}
	from, err := number(query, "pageToken", 0)
	if err != nil {
		return answer.Reply{}, err
	}
	if size == 0 {
		size = defaultPage
	}
	all := catalog.Models()
	from = min(from, len(all))
	to := min(from+min(size, maxPage), len(all))
	page := modelPage{Models: all[from:to]}
	if to < len(all) {
		page.NextPageToken = strconv.Itoa(to)
	}
	return answer.Reply{Message: page}, nil
}

func number(query url.Values, name string, unset int) (int, error) {
	v := query.Get(name)
	if v == "" {
		return unset, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		return 0, status.Errorf(codes.InvalidArgument, "Invalid value at '%s': %q", name, v)
	}
	return int(n), nil
}
