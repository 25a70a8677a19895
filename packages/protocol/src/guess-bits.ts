/** The commonest pairs of letters in English; they make up over nine tenths of its text. */
const commonPairs: ReadonlySet<string> = new Set(
  (
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi " +
    "ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc " +
    "et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv " +
    "ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do " +
    "uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr cl du ga qu ue ff ba ey ls va um pp ua up lu go ht " +
    "ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg ib tl ny ki rk ys ob mm fu ph og ms ye ud mb ip " +
    "ub oi rl gu dr hr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz ok my gl aw ju oa eq sy sl ps jo lf"
  ).split(" "),
);

/** Rows of a keyboard, the alphabet and the digits, each also backwards. */
const walks = ["qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz", "01234567890"].flatMap(
  (row) => [row, [...row].reverse().join("")],
);

const bits = { hexDigit: 4, digit: 3.3, letter: 4.7, mixedLetter: 5.7, symbol: 4 };
/** Punctuation of URLs, hosts, dates and names tells nothing. */
const syntax = /[\s:/?#&=@.%_~+,;|'"-]/;
const englishPairsShareMin = 0.6;

/**
 * Estimates how many bits somebody has to guess who knows what kind of text
 * it is. Words, dates, the syntax of URLs, keyboard walks and everything that
 * was there before in the same text count nothing; what is left counts as if
 * drawn at random from its kind of character. It errs on the low side.
 */
export function guessBits(text: string): number {
  let total = 0;
  const seen = new Set<string>();
  for (const [run] of text.matchAll(/[A-Za-z0-9]+|[^A-Za-z0-9]/g)) {
    total += /^[A-Za-z0-9]/.test(run) ? alphanumericBits(run, seen) : symbolBits(run, seen);
  }
  return total;
}

function symbolBits(symbol: string, seen: Set<string>): number {
  if (syntax.test(symbol)) return 0;
  return isNew(symbol, seen) ? bits.symbol : 0;
}

function alphanumericBits(run: string, seen: Set<string>): number {
  if (isHexadecimal(run)) {
    return newCharacters(run, seen) * bits.hexDigit;
  }
  let total = 0;
  for (const [piece] of run.matchAll(/[A-Z]?[a-z]+|[A-Z]+|[0-9]+/g)) {
    if (/^[0-9]/.test(piece)) {
      total += isDate(piece) ? 0 : newCharacters(piece, seen) * bits.digit;
    } else if (piece.length < 3) {
      total += piece.length === run.length ? 0 : newCharacters(piece, seen) * bits.mixedLetter;
    } else {
      total += isWord(piece) ? 0 : newCharacters(piece, seen) * bits.letter;
    }
  }
  return total;
}

/** Hexadecimal of one case with digits and letters mixed, as keys and hashes are. */
function isHexadecimal(run: string): boolean {
  return (
    run.length >= 8 &&
    /^(?:[0-9a-f]+|[0-9A-F]+)$/.test(run) &&
    /[0-9]/.test(run) &&
    /[A-Fa-f]/.test(run)
  );
}

function isWord(letters: string): boolean {
  const lower = letters.toLowerCase();
  let common = 0;
  for (let at = 1; at < lower.length; at += 1) {
    if (commonPairs.has(lower.slice(at - 1, at + 1))) common += 1;
  }
  return common / (lower.length - 1) >= englishPairsShareMin;
}

/** A year, or a date with a year at either end, with or without a time. */
function isDate(digits: string): boolean {
  return digits.length <= 14 && /^(?:(?:19|20)\d\d|\d{0,4}(?:19|20)\d\d$)/.test(digits);
}

/** How many characters are no part of a walk and of nothing that was there before. */
function newCharacters(piece: string, seen: Set<string>): number {
  const lower = piece.toLowerCase();
  let count = 0;
  for (let at = 0; at < lower.length; at += 1) {
    const triple = lower.slice(Math.max(0, at - 2), at + 1);
    const isWalk = triple.length === 3 && walks.some((walk) => walk.includes(triple));
    const isRepeated = triple.length === 3 && !isNew(triple, seen);
    if (!isWalk && !isRepeated) count += 1;
  }
  return count;
}

function isNew(text: string, seen: Set<string>): boolean {
  if (seen.has(text)) return false;
  seen.add(text);
  return true;
}
