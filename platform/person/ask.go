package person

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/id"
)

// Client asks one service what it holds of people, whichever it is: a service that comes later is asked as well.
type Client struct {
	// Service is its name.
	Service string
	list    *connect.Client[platformv1.ListPersonSectionsRequest, platformv1.ListPersonSectionsResponse]
	read    *connect.Client[platformv1.ReadPersonSectionRequest, platformv1.ReadPersonSectionResponse]
}

// Procedure is the path of a method of a service's PersonDataService.
func Procedure(service, method string) string {
	return fmt.Sprintf("/braid.%s.v1.PersonDataService/%s", service, method)
}

// NewClient returns what asks a service.
func NewClient(service string, client connect.HTTPClient, address string) *Client {
	return &Client{
		Service: service,
		list: connect.NewClient[platformv1.ListPersonSectionsRequest, platformv1.ListPersonSectionsResponse](
			client, address+Procedure(service, "ListPersonSections")),
		read: connect.NewClient[platformv1.ReadPersonSectionRequest, platformv1.ReadPersonSectionResponse](
			client, address+Procedure(service, "ReadPersonSection")),
	}
}

// Sections lists what there can be.
func (c *Client) Sections(ctx context.Context) ([]*platformv1.PersonSection, error) {
	response, err := c.list.CallUnary(ctx, connect.NewRequest(&platformv1.ListPersonSectionsRequest{}))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.Service, err)
	}
	return response.Msg.GetSections(), nil
}

// Each gives every item of a section to take, page by page.
func (c *Client) Each(ctx context.Context, section string, personID id.ID, take func(item string) error) error {
	for after := ""; ; {
		response, err := c.read.CallUnary(ctx, connect.NewRequest(&platformv1.ReadPersonSectionRequest{
			UserId: personID.String(), Section: section, PageToken: after,
		}))
		if err != nil {
			return fmt.Errorf("ask %s for %s: %w", c.Service, section, err)
		}
		for _, item := range response.Msg.GetItems() {
			if err := take(item); err != nil {
				return err
			}
		}
		if after = response.Msg.GetNextPageToken(); after == "" {
			return nil
		}
	}
}
