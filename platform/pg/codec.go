package pg

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/braidhq/braid/platform/id"
)

// registerCodec teaches a connection's type map that id.ID is a uuid. The zero identifier is NULL in both
// directions: it is never stored as a key, and a comparison with it finds nothing.
func registerCodec(types *pgtype.Map) {
	types.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{wrapEncode}, types.TryWrapEncodePlanFuncs...)
	types.TryWrapScanPlanFuncs = append([]pgtype.TryWrapScanPlanFunc{wrapScan}, types.TryWrapScanPlanFuncs...)
	types.RegisterDefaultPgType(id.ID{}, "uuid")
	types.RegisterDefaultPgType([]id.ID{}, "_uuid")
}

// identifier gives id.ID the methods pgtype's uuid codec asks for; id itself knows no database.
type identifier id.ID

// UUIDValue implements pgtype.UUIDValuer.
func (i identifier) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: i, Valid: !id.ID(i).IsZero()}, nil
}

// ScanUUID implements pgtype.UUIDScanner.
func (i *identifier) ScanUUID(value pgtype.UUID) error {
	if !value.Valid {
		*i = identifier{}
		return nil
	}
	*i = value.Bytes
	return nil
}

func wrapEncode(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	known, ok := value.(id.ID)
	if !ok {
		return nil, nil, false
	}
	return &encodePlan{}, identifier(known), true
}

type encodePlan struct{ next pgtype.EncodePlan }

// SetNext implements pgtype.WrappedEncodePlanNextSetter.
func (p *encodePlan) SetNext(next pgtype.EncodePlan) { p.next = next }

// Encode implements pgtype.EncodePlan.
func (p *encodePlan) Encode(value any, buffer []byte) ([]byte, error) {
	known, ok := value.(id.ID)
	if !ok {
		return nil, fmt.Errorf("encode %T as uuid: not an identifier", value)
	}
	return p.next.Encode(identifier(known), buffer)
}

func wrapScan(target any) (pgtype.WrappedScanPlanNextSetter, any, bool) {
	known, ok := target.(*id.ID)
	if !ok {
		return nil, nil, false
	}
	return &scanPlan{}, (*identifier)(known), true
}

type scanPlan struct{ next pgtype.ScanPlan }

// SetNext implements pgtype.WrappedScanPlanNextSetter.
func (p *scanPlan) SetNext(next pgtype.ScanPlan) { p.next = next }

// Scan implements pgtype.ScanPlan.
func (p *scanPlan) Scan(source []byte, target any) error {
	known, ok := target.(*id.ID)
	if !ok {
		return fmt.Errorf("scan uuid into %T: not an identifier", target)
	}
	return p.next.Scan(source, (*identifier)(known))
}
