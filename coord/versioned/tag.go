// SPDX-License-Identifier: Apache-2.0

package versioned

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"github.com/otelplat/platform/coord"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// MaxTags is how many tags a document has at most.
const MaxTags = 100

// tag is the JSON of a tag.
type tag struct {
	V      int       `json:"v"`
	Number int64     `json:"number"`
	Author string    `json:"author,omitempty"`
	Time   time.Time `json:"time"`
}

// Tag names a revision, 0 for the head; a tag that there is moves. A revision with a tag is
// never pruned. It returns [ErrNotFound] for a revision that does not exist, [*LimitError]
// for more than [MaxTags], [*coord.NameError] and [ErrUncertain].
func (s *Store) Tag(ctx context.Context, name, as string, number int64, author string) (Revision, error) {
	if err := s.checkTag(name, as); err != nil {
		return Revision{}, err
	}
	if len(author) > maxText {
		return Revision{}, &LimitError{"author", len(author), maxText}
	}
	doc, err := s.record(ctx, name, number)
	if err != nil {
		return Revision{}, err
	}
	tags, err := s.Tags(ctx, name)
	if err != nil {
		return Revision{}, err
	}
	if _, there := tags[as]; !there && len(tags) >= MaxTags {
		return Revision{}, &LimitError{"number of tags", len(tags) + 1, MaxTags}
	}
	value, err := json.Marshal(tag{formatVersion, doc.Number, author, time.Now().UTC()})
	if err != nil {
		return Revision{}, s.wrap("encode tag of", name, err)
	}
	resp, err := s.client.Etcd().Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(s.revKey(name, doc.Number)), ">", 0)). // else it was pruned
		Then(clientv3.OpPut(s.key(name, "tag", as), string(value))).Commit()
	switch {
	case err != nil && coord.Uncertain(err):
		return Revision{}, fmt.Errorf("%w: %w", ErrUncertain, err)
	case err != nil:
		return Revision{}, s.wrap("tag", name, err)
	case !resp.Succeeded:
		return Revision{}, fmt.Errorf("versioned: %s %q revision %d: %w", s.family, name, doc.Number, ErrNotFound)
	}
	return doc, nil
}

// Untag takes a tag away. It returns [ErrNotFound].
func (s *Store) Untag(ctx context.Context, name, as string) error {
	if err := s.checkTag(name, as); err != nil {
		return err
	}
	resp, err := s.client.Etcd().Delete(ctx, s.key(name, "tag", as))
	switch {
	case err != nil:
		return s.wrap("untag", name, err)
	case resp.Deleted == 0:
		return fmt.Errorf("versioned: %s %q tag %q: %w", s.family, name, as, ErrNotFound)
	}
	return nil
}

// Tags returns the numbers of the revisions that have tags.
func (s *Store) Tags(ctx context.Context, name string) (map[string]int64, error) {
	if err := coord.CheckName("document", name); err != nil {
		return nil, err
	}
	resp, err := s.client.Etcd().Get(ctx, s.key(name, "tag")+"/", clientv3.WithPrefix())
	if err != nil {
		return nil, s.wrap("read tags of", name, err)
	}
	tags := make(map[string]int64, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		number, err := decodeTag(kv.Value)
		if err != nil {
			return nil, s.wrap("read tags of", name, err)
		}
		tags[path.Base(string(kv.Key))] = number
	}
	return tags, nil
}

// Tagged returns the number of the revision that has a tag, or [ErrNotFound].
func (s *Store) Tagged(ctx context.Context, name, as string) (int64, error) {
	if err := s.checkTag(name, as); err != nil {
		return 0, err
	}
	resp, err := s.client.Etcd().Get(ctx, s.key(name, "tag", as))
	if err != nil {
		return 0, s.wrap("read tag of", name, err)
	}
	if len(resp.Kvs) == 0 {
		return 0, fmt.Errorf("versioned: %s %q tag %q: %w", s.family, name, as, ErrNotFound)
	}
	return decodeTag(resp.Kvs[0].Value)
}

// decodeTag returns the number that a tag names.
func decodeTag(value []byte) (int64, error) {
	var t tag
	if err := json.Unmarshal(value, &t); err != nil {
		return 0, fmt.Errorf("versioned: tag: %w", err)
	}
	if t.V != formatVersion || t.Number < 1 {
		return 0, fmt.Errorf("versioned: tag of format version %d for revision %d", t.V, t.Number)
	}
	return t.Number, nil
}

func (s *Store) checkTag(name, as string) error {
	if err := coord.CheckName("document", name); err != nil {
		return err
	}
	return coord.CheckName("tag", as)
}

// record returns a revision without its content, number 0 for the head.
func (s *Store) record(ctx context.Context, name string, number int64) (Revision, error) {
	if number != 0 {
		return s.revision(ctx, name, number)
	}
	rev, _, err := s.head(ctx, name)
	if err == nil && rev.Number == 0 {
		err = s.wrap("read", name, ErrNotFound)
	}
	return rev, err
}
