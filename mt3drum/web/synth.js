// Drums by WebAudio: plain sounds, quick to tell apart, for checking by ear.

const TOM_HZ = { tom1: 210, tom2: 165, tom3: 128, floor: 92 };

class Synth {
  /** @param output the node that the drums are fed to */
  constructor(context, output) {
    this.context = context;
    this.output = output;
    this.live = new Set();
    this.openHat = null; // choked by the next closed or pedalled stroke
    this.noise = context.createBuffer(1, 2 * context.sampleRate, context.sampleRate);
    const samples = this.noise.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] = 2 * Math.random() - 1;
  }

  /** One stroke at `when`, in the time of the audio context. */
  strike(drum, velocity, when) {
    const level = 0.7 * (velocity / 127) ** 1.6;
    const [, piece, kind] = drum.name.match(/^([a-z]+)(.*)$/) || [];
    switch (drum.family) {
      case "kick":
        this.tone(when, level, 0.28, 150, 48);
        this.burst(when, 0.25 * level, 0.015, 3000, "highpass");
        break;
      case "snare":
        this.tone(when, 0.5 * level, 0.12, 240, 170);
        this.burst(when, 0.7 * level, 0.18, 1500, "highpass");
        break;
      case "rim":
        this.tone(when, 0.5 * level, 0.05, 900, 820, "triangle");
        this.burst(when, 0.6 * level, drum.name === "snare_rim" ? 0.15 : 0.03, 2200, "bandpass");
        break;
      case "hihat":
        this.hat(drum.name, level, when);
        break;
      case "tom": {
        const hz = TOM_HZ[piece + kind.replace(/_.*/, "")] || TOM_HZ[piece] || 128;
        this.tone(when, 0.8 * level, 0.32, 1.5 * hz, hz);
        if (drum.name.endsWith("rim")) this.burst(when, 0.5 * level, 0.04, 2500, "bandpass");
        break;
      }
      case "crash":
        this.burst(when, 0.45 * level, drum.name === "crash1" ? 1.3 : 0.9, drum.name.startsWith("crash1") ? 5000 : 3500,
          "highpass");
        break;
      case "ride":
        this.burst(when, 0.25 * level, 0.5, 7000, "highpass");
        this.tone(when, (drum.name === "ride_bell" ? 0.4 : 0.12) * level, 0.6, 1240, 1238, "triangle");
        break;
      default:
        if (drum.name === "aux2") this.tone(when, 0.4 * level, 0.15, 800, 790, "square");
        else this.burst(when, 0.4 * level, 0.1, 8000, "highpass");
    }
  }

  hat(name, level, when) {
    if (this.openHat) this.openHat.gain.setTargetAtTime(0, when, 0.01);
    const open = name.startsWith("hihat_open");
    const seconds = open ? 0.45 : name === "hihat_pedal" ? 0.035 : 0.06;
    const gain = this.burst(when, 0.45 * level, seconds, name.endsWith("edge") ? 6000 : 8000, "highpass");
    this.openHat = open ? gain : null;
  }

  tone(when, level, seconds, from, to, type = "sine") {
    const source = this.context.createOscillator();
    source.type = type;
    source.frequency.setValueAtTime(from, when);
    source.frequency.exponentialRampToValueAtTime(to, when + Math.min(0.08, seconds));
    return this.ring(source, source, when, level, seconds);
  }

  burst(when, level, seconds, hz, type) {
    const source = this.context.createBufferSource();
    source.buffer = this.noise;
    source.loop = true;
    const filter = this.context.createBiquadFilter();
    filter.type = type;
    filter.frequency.value = hz;
    source.connect(filter);
    return this.ring(source, filter, when, level, seconds);
  }

  ring(source, last, when, level, seconds) {
    const gain = this.context.createGain();
    gain.gain.setValueAtTime(Math.max(level, 1e-4), when);
    gain.gain.exponentialRampToValueAtTime(1e-4, when + seconds);
    last.connect(gain).connect(this.output);
    source.start(when);
    source.stop(when + seconds + 0.02);
    this.live.add(source);
    source.onended = () => {
      this.live.delete(source);
      gain.disconnect();
    };
    return gain;
  }

  silence() {
    for (const source of this.live) source.stop();
    this.live.clear();
    this.openHat = null;
  }
}
