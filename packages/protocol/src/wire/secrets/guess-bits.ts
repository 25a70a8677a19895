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

/** Rows and columns of a keyboard, the alphabet and the digits, alone and interleaved. */
const walks = [
  "qwertyuiopasdfghjklzxcvbnm",
  "abcdefghijklmnopqrstuvwxyz",
  "01234567890",
  "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
  "zaq1xsw2cde3vfr4bgt5nhy6mju7",
  "1q2w3e4r5t6y7u8i9o0p",
  "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
].flatMap((walk) => [walk, [...walk].reverse().join("")]);

/** Digits that replace letters in words such as `p4ssw0rd`. */
const digitLetters: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "l",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
};

const bits = { hexDigit: 4, digit: 3.3, letter: 4.7, mixedLetter: 5.7, symbol: 4 };
/** Punctuation of URLs, hosts, dates and names adds no bits, nor do letters of other alphabets. */
const syntax = /[\s:/?#&=@.%_~+,;|'"-]|[^\0-\x7f]/;

/**
 * Estimates how many bits an attacker has to guess who knows what kind of text
 * it is. Words (also with digits for letters), dates, the syntax of URLs,
 * keyboard walks and repetitions count nothing; the rest counts as if drawn at
 * random from its kind of character. The estimate tends to be too low.
 */
export function guessBits(text: string): number {
  let total = 0;
  let previous = "";
  const seen = new Set<string>();
  for (const [run] of text.matchAll(/[A-Za-z0-9]+|[^A-Za-z0-9]/g)) {
    if (/^[A-Za-z0-9]/.test(run)) total += alphanumericBits(run, seen);
    else if (!syntax.test(run) && isNew(previous.slice(-1) + run, seen)) total += bits.symbol;
    previous = run;
  }
  return total;
}

function alphanumericBits(run: string, seen: Set<string>): number {
  const isFresh = freshCharacters(run, seen);
  const freshOf = (from: number, length: number) =>
    isFresh.slice(from, from + length).filter(Boolean).length;
  if (isHexadecimal(run)) return freshOf(0, run.length) * bits.hexDigit;
  if (readsAsWords(run)) return 0;
  let total = 0;
  for (const match of run.matchAll(/[A-Z]?[a-z]+|[A-Z]+|[0-9]+/g)) {
    const [piece] = match;
    const fresh = freshOf(match.index, piece.length);
    if (/^[0-9]/.test(piece)) {
      total += isDate(piece) ? 0 : fresh * bits.digit;
    } else if (piece.length < 3) {
      total += piece.length === run.length ? 0 : fresh * bits.mixedLetter;
    } else {
      total += isWord(piece) ? 0 : fresh * bits.letter;
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

const wordsLettersMin = 6;
/** Shares of common pairs that make letters a word; digits that replace vowels make them by chance. */
const wordShareMin = 0.75;
const digitWordsShareMin = 0.8;

/** Whether letters and digits together are words that are written with digits for letters. */
function readsAsWords(run: string): boolean {
  if (!/[0-9]/.test(run) || !/[A-Za-z]/.test(run)) return false;
  const capitals = run.replaceAll(/[^A-Z]/g, "").length;
  const small = run.replaceAll(/[^a-z]/g, "").length;
  // Words have capitals at their beginnings alone, keys anywhere.
  if (small > 0 && capitals * 3 > capitals + small) return false;
  const words = run.toLowerCase().replace(/[013457]/g, (digit) => digitLetters[digit] ?? digit);
  const pieces = words.split(/[0-9]+/).filter((piece) => piece !== "");
  const letters = pieces.join("").length;
  return (
    letters >= wordsLettersMin &&
    pieces.every((piece) => piece.length > 2 && commonPairsShare(piece) >= digitWordsShareMin)
  );
}

/** Short pieces are words by chance more often: more of their pairs have to be common. */
function isWord(letters: string): boolean {
  return commonPairsShare(letters) >= (letters.length < 5 ? 1 : wordShareMin);
}

function commonPairsShare(letters: string): number {
  const lower = letters.toLowerCase();
  let common = 0;
  for (let at = 1; at < lower.length; at += 1) {
    if (commonPairs.has(lower.slice(at - 1, at + 1))) common += 1;
  }
  return common / (lower.length - 1);
}

/** A year, or a date with a year at either end, with or without a time. */
function isDate(digits: string): boolean {
  return digits.length <= 14 && /^(?:(?:19|20)\d\d|\d{0,4}(?:19|20)\d\d$)/.test(digits);
}

/** Which characters are no part of a walk and of nothing that was there before. */
function freshCharacters(run: string, seen: Set<string>): boolean[] {
  const lower = run.toLowerCase();
  return Array.from(lower, (_character, at) => {
    const triple = lower.slice(Math.max(0, at - 2), at + 1);
    if (triple.length < 3) return true;
    const isWalk = walks.some((walk) => walk.includes(triple));
    return isNew(triple, seen) && !isWalk;
  });
}

function isNew(text: string, seen: Set<string>): boolean {
  if (seen.has(text)) return false;
  seen.add(text);
  return true;
}
