package token

import (
	"math/big"
	"slices"
)

// The curve of Ed25519 (RFC 8032 section 5.1): y² - x² = 1 + d·x²·y² modulo p.
var (
	edwardsPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edwardsD     = edwardsQuotient(big.NewInt(-121665), big.NewInt(121666))
)

// isEdwardsKey reports whether 32 bytes are the one spelling of a point of the curve, and none of the eight of small order:
// for those, signatures can be made up that hold for any text, without a private key. Signatures are verified by the
// standard library, which takes such a key.
func isEdwardsKey(encoded []byte) bool {
	bytes := slices.Clone(encoded)
	slices.Reverse(bytes)
	bytes[0] &= 0x7f // The first bit is the sign of x.
	y := new(big.Int).SetBytes(bytes)
	if y.Cmp(edwardsPrime) >= 0 {
		return false
	}
	one := big.NewInt(1)
	ySquare := new(big.Int).Mul(y, y)
	above, below := new(big.Int).Sub(ySquare, one), new(big.Int).Mul(edwardsD, ySquare)
	// What it is divided by is never zero: -1/d is no square.
	xSquare := edwardsQuotient(above, below.Add(below, one))
	sum := new(big.Int).Add(xSquare, ySquare)
	switch {
	case big.Jacobi(xSquare, edwardsPrime) < 0:
		return false // There is no such x.
	case xSquare.Sign() == 0, y.Sign() == 0:
		return false // Order 1 or 2, order 4.
	default:
		return sum.Mod(sum, edwardsPrime).Sign() != 0 // Order 8: twice such a point has y = 0.
	}
}

func edwardsQuotient(above, below *big.Int) *big.Int {
	inverse := new(big.Int).ModInverse(new(big.Int).Mod(below, edwardsPrime), edwardsPrime)
	quotient := inverse.Mul(inverse, above)
	return quotient.Mod(quotient, edwardsPrime)
}
