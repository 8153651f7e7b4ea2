// A synth that sends what it hears by SendReply, and the responders that pass it on as features.
// It comes back by itself when the server boots, and after cmd-period.
OscbendListener {
	var <oscbend, <server, <bus, <prefix, <>rate;
	var <synth, responders;

	*new { |oscbend, server, bus, prefix = "", rate = 50|
		^super.newCopyArgs(oscbend ?? { Oscbend.default }, server ?? { Server.default }, bus, prefix, rate).init
	}

	init {
		responders = this.responders;
		ServerTree.add(this, server);
		if(server.serverRunning) { this.doOnServerTree };
	}

	doOnServerTree {
		var def = this.def;
		synth = Synth.basicNew(def.name, server);
		def.send(server, synth.newMsg(RootNode(server), [\in, this.index, \rate, rate], \addToTail));
	}

	free {
		ServerTree.remove(this, server);
		responders.do(_.free);
		synth !? { if(server.serverRunning) { synth.free } };
		synth = nil;
	}

	index { ^if(bus.isKindOf(Bus)) { bus.index } { bus ? 0 } }
	channels { ^if(bus.isKindOf(Bus)) { bus.numChannels } { 1 } }

	// Messages of this listener's synth: [address, node, reply, value …].
	hear { |address, action|
		^OSCFunc({ |message|
			var values = message.drop(3).reject(_.isNaN);
			if(synth.notNil and: { message[1] == synth.nodeID } and: { values.size == (message.size - 3) }) {
				action.value(*values)
			}
		}, address, server.addr).fix
	}
}

OscbendSound : OscbendListener {
	channels { ^if(bus.isNil) { server.options.numOutputBusChannels } { super.channels } }

	responders {
		var names = #[\amp, \centroid, \flatness].collect { |feature| prefix ++ feature };
		^[
			this.hear('/oscbend/sound', { |... values|
				oscbend.sendBundle(nil, *names.collect { |feature, n| ["/feature/" ++ feature, values[n]] })
			}),
			this.hear('/oscbend/onset', { oscbend.trig(prefix ++ "onset") })
		]
	}

	def {
		var channels = this.channels;
		^SynthDef("oscbend_sound_" ++ channels, { |in = 0, rate = 50|
			var sound = In.ar(in, channels).asArray.sum / channels;
			var chain = FFT(LocalBuf(1024), sound);
			SendReply.kr(Impulse.kr(rate), '/oscbend/sound', [
				Amplitude.kr(sound, 0.01, 0.1), SpecCentroid.kr(chain), SpecFlatness.kr(chain)
			]);
			SendReply.kr(Onsets.kr(chain, 0.3), '/oscbend/onset');
		})
	}
}

OscbendControl : OscbendListener {
	responders { ^[this.hear('/oscbend/control/' ++ prefix, { |... values| oscbend.feature(prefix, *values) })] }

	def {
		var channels = this.channels;
		^SynthDef("oscbend_control_" ++ channels ++ "_" ++ prefix, { |in = 0, rate = 50|
			SendReply.kr(Impulse.kr(rate), '/oscbend/control/' ++ prefix, In.kr(in, channels))
		})
	}
}
