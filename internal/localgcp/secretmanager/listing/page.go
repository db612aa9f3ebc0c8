// Package listing holds what Secret Manager's list calls share: pages, and
// filter expressions.
package listing

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
)

// maxPage is both the most and the default number of items of a page.
const maxPage = 25000

// Page cuts one page from items, which are sorted by falling key. Size 0 stands
// for the largest page, larger ones are cut to it. The token names the last
// item shown, so that items added or removed between pages neither repeat nor
// hide others. It fails on a negative size and on a token it did not make.
func Page[T any](items []T, key func(T) int64, size int32, token string) (page []T, next string, err error) {
	if size < 0 {
		return nil, "", errors.New("page_size must not be negative")
	}
	if token != "" {
		last, err := decode(token)
		if err != nil {
			return nil, "", err
		}
		for len(items) > 0 && key(items[0]) >= last {
			items = items[1:]
		}
	}
	if size == 0 || size > maxPage {
		size = maxPage
	}
	if len(items) <= int(size) {
		return items, "", nil
	}
	page = items[:size]
	return page, encode(key(page[size-1])), nil
}

func encode(key int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("after:" + strconv.FormatInt(key, 10)))
}

func decode(token string) (int64, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, fmt.Errorf("page_token %q was not issued by this service", token)
	}
	var key int64
	if _, err := fmt.Sscanf(string(raw), "after:%d", &key); err != nil || encode(key) != token {
		return 0, fmt.Errorf("page_token %q was not issued by this service", token)
	}
	return key, nil
}
