// Tables, settings and constants, as mt3drum/web/rules.py writes them from the modules that own them.

/**
 * @typedef {object} Channel One window of a log-mel spectrogram.
 * @property {number} window samples
 * @property {number} stride frames that share one spectrum
 * @property {number[]} first bin of each band
 * @property {number[]} sizes bins of each band
 * @property {string} weights of all bands, base64 of little-endian float32
 *
 * @typedef {{floor: number, bands: number, channels: Channel[]}} FeatureRules
 *
 * @typedef {object} CodecRules
 * @property {number} pad
 * @property {number} bos
 * @property {number} eos
 * @property {number} special ids before the times
 * @property {number} firstTime
 * @property {number} firstDrum
 * @property {number} firstVelocity
 * @property {number} size
 * @property {number} steps of a segment
 * @property {number} perSecond steps
 * @property {number} velocityBins
 * @property {number} maxVelocity
 * @property {string} fingerprint
 *
 * @typedef {object} DecodingRules
 * @property {number} onsetWeight
 * @property {number} onsetBias
 * @property {number[]} classes
 * @property {number} gapSteps
 * @property {number} minimumGap
 * @property {number} exclusiveGap
 * @property {number[]} leastConfidence of each drum
 * @property {number} silenceGate
 * @property {number} maxTokens
 * @property {number} marginSteps
 * @property {[number, number][]} calibration
 * @property {number} toFinish
 * @property {number} window
 * @property {number} tiny
 * @property {number} floor
 * @property {number} suppress
 * @property {number} sameStroke seconds
 * @property {number} refined seconds
 * @property {boolean} loudnessPass
 * @property {[number, number]} attack first and last frame
 * @property {[number, number]} before first and last frame
 * @property {number} fewest strokes of a drum
 * @property {number} leastEnergy share
 *
 * @typedef {object} AudioRules
 * @property {number} sampleRate
 * @property {number} hop
 * @property {number} targetPeak
 * @property {number} clip
 * @property {number} silence
 * @property {number} peakBlock samples
 * @property {number} peakQuantile
 * @property {number} maxSeconds
 * @property {number} block frames
 * @property {number} lost
 * @property {number} often
 * @property {number} quiet
 *
 * @typedef {object} SpectrogramRules
 * @property {FeatureRules} features
 * @property {number} tileFrames
 * @property {number} range
 * @property {number} step
 * @property {number} shades
 * @property {number} topQuantile
 * @property {number} edge frames
 * @property {number} lowHz
 * @property {number} highHz
 *
 * @typedef {object} Rules
 * @property {CodecRules} codec
 * @property {{decoderLayers: number, heads: number, headWidth: number}} model
 * @property {DecodingRules} decoding
 * @property {AudioRules} audio
 * @property {FeatureRules} features
 * @property {SpectrogramRules} spectrogram
 * @property {string[]} instruments of each drum
 * @property {{drums: object[], families: string[], lanes: number[]}} page
 * @property {ScoreRules} score
 *
 * @typedef {object} ScoreRules Of beats and scores, as mt3drum/web/score_rules.py writes them.
 * @property {Record<string, Record<string, any>>} constants of each Python module, by their names there
 * @property {DrumRules[]} drums
 * @property {{shares: number[], rates: number[][][]}} beat styles of a beat; rates [style role tick]
 * @property {Record<string, {shortest: number, longest: number}>} meters seconds of a beat
 * @property {Record<string, {share: number, usual: number, spread: number, rates: number[][][]}[]>} grooves of each meter
 * @property {Record<string, {suffix: string, label: string}>} formats
 * @property {{bars: object, mostBars: number, systems: object, heads: Record<string, string>}} engraving options of verovio
 *
 * @typedef {object} DrumRules
 * @property {string} name
 * @property {string} family
 * @property {number} note of General MIDI
 * @property {string} step on the staff
 * @property {number} octave
 * @property {string} head
 * @property {string} title
 * @property {string} line of a tab
 * @property {string} strokes of a tab
 * @property {{lane: number, cymbal: boolean} | null} lane of a chart
 * @property {number} elite note
 */

/** @param {string} base64 @returns {Float32Array} */
export function floats(base64) {
  const text = atob(base64);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** @param {ArrayLike<number>} values rising @param {number} share 0 to 1; between two values linear, as numpy's */
export function quantile(values, share) {
  const at = share * (values.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, values.length - 1);
  return values[low] + (at - low) * (values[high] - values[low]);
}
