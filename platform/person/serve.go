package person

import (
	"context"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// Handler implements every service's PersonDataService, which only other services can call.
type Handler struct {
	db  *pg.DB
	own Own
}

// NewHandler returns the handlers of a service's PersonDataService.
func NewHandler(db *pg.DB, own Own) *Handler { return &Handler{db, own} }

// ListPersonSections says what there can be.
func (h *Handler) ListPersonSections(context.Context, *platformv1.ListPersonSectionsRequest) (*platformv1.ListPersonSectionsResponse, error) {
	response := &platformv1.ListPersonSectionsResponse{}
	for _, section := range h.own.Sections {
		response.Sections = append(response.Sections, &platformv1.PersonSection{Name: section.Name, Title: section.Title})
	}
	return response, nil
}

// ReadPersonSection returns a page.
func (h *Handler) ReadPersonSection(ctx context.Context, request *platformv1.ReadPersonSectionRequest) (*platformv1.ReadPersonSectionResponse, error) {
	section, exists := h.own.Section(request.GetSection())
	if !exists {
		return nil, errs.ErrNotFound
	}
	items, next, err := section.Page(ctx, h.db, id.ParseOrZero(request.GetUserId()), request.GetPageToken())
	if err != nil {
		return nil, err
	}
	return &platformv1.ReadPersonSectionResponse{Items: items, NextPageToken: next}, nil
}
